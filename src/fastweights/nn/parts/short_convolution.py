"""The short causal convolution that recent linear-attention layers put before their keys, values and queries."""

from __future__ import annotations

import math
from collections.abc import Callable

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
        return look_back(x, recent, mask, self._mix)

    def _mix(
        self, seen: Float[Tensor, "batch all channels"]
    ) -> Float[Tensor, "batch time channels"]:
        time = seen.shape[1] - self.size + 1
        terms = (w * seen[:, j : j + time] for j, w in enumerate(self.weight.unbind(1)))
        return silu(torch.stack(list(terms)).sum(0))

    def extra_repr(self) -> str:
        channels, size = self.weight.shape
        return f"{channels}, {size}"


def look_back(
    x: Float[Tensor, "batch time channels"],
    recent: Float[Tensor, "batch before channels"],
    mask: Bool[Tensor, "batch time"] | None,
    mix: Callable[[Float[Tensor, "batch all channels"]], Float[Tensor, "batch time channels"]],
) -> tuple[Float[Tensor, "batch time channels"], Float[Tensor, "batch before channels"]]:
    """Compute something of each step and of those before it, and return it with what is to be carried.

    Args:
        x, recent, mask: as `ShortConvolution.forward` takes them, with any number of steps before x.
        mix: called with the steps before x and x in one, [batch, before + time, channels].

    Example:
        >>> x, before = torch.tensor([[[1.0], [2.0]]]), torch.zeros(1, 1, 1)
        >>> shifted, recent = look_back(x, before, None, lambda seen: seen[:, :-1])
        >>> shifted.flatten().tolist(), recent.flatten().tolist()
        ([0.0, 1.0], [2.0])
    """
    if mask is None:
        seen = torch.cat([recent, x], 1)
        return mix(seen), seen[:, x.shape[1] :]
    lengths, shift = padding.lengths_and_shift(mask)
    seen = torch.cat([recent, padding.to_front(x, shift)], 1)
    last = lengths[:, None] + torch.arange(recent.shape[1], device=x.device)
    kept = seen.gather(1, last[:, :, None].expand_as(recent))
    return padding.to_back(mix(seen), shift), kept
