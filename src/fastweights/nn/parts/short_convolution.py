"""The short causal convolution that recent linear-attention layers put before their keys, values and queries."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import silu

from fastweights.nn.parts.checks import check_sizes
from fastweights.ops import padding


class ShortConvolution(nn.Module):
    """y(t) = SiLU(Σ_j w_j ⊙ x(t - size + 1 + j)), j = 0 … size - 1, every channel by itself.

    What it has to carry is the last `size - 1` inputs of a row, zeros at the start.

    Args:
        channels: features of x.
        size: how many steps a channel sees, its own included.

    Parameters: weight [channels, size], the last column for the step itself.

    Example:
        >>> layer = ShortConvolution(8, 4)
        >>> y, recent = layer(torch.randn(2, 11, 8), torch.zeros(2, 3, 8))
        >>> y.shape, recent.shape
        (torch.Size([2, 11, 8]), torch.Size([2, 3, 8]))
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        check_sizes(channels=channels, convolution=size)
        self.size = size
        edge = 1 / math.sqrt(size)
        self.weight = nn.Parameter(torch.empty(channels, size).uniform_(-edge, edge))

    def forward(
        self,
        x: Float[Tensor, "batch time channels"],
        recent: Float[Tensor, "batch before channels"],
        mask: Bool[Tensor, "batch time"] | None = None,
    ) -> tuple[Float[Tensor, "batch time channels"], Float[Tensor, "batch before channels"]]:
        """Run a sequence.

        Args:
            x: [batch, time, channels].
            recent: [batch, size - 1, channels], the inputs before x.
            mask: [batch, time], True = real; padding does not exist for the real steps.

        Returns:
            y [batch, time, channels], and each row's last `size - 1` real inputs. At padded steps y
            holds nothing of use.
        """
        time = x.shape[1]
        if mask is None:
            seen = torch.cat([recent, x], 1)
            return self._mix(seen), seen[:, time:]
        lengths, shift = padding.lengths_and_shift(mask)
        seen = torch.cat([recent, padding.to_front(x, shift)], 1)
        last = lengths[:, None] + torch.arange(self.size - 1, device=x.device)
        kept = seen.gather(1, last[:, :, None].expand_as(recent))
        return padding.to_back(self._mix(seen), shift), kept

    def _mix(
        self, seen: Float[Tensor, "batch all channels"]
    ) -> Float[Tensor, "batch time channels"]:
        time = seen.shape[1] - self.size + 1
        terms = (w * seen[:, j : j + time] for j, w in enumerate(self.weight.unbind(1)))
        return silu(torch.stack(list(terms)).sum(0))

    def extra_repr(self) -> str:
        channels, size = self.weight.shape
        return f"{channels}, {size}"
