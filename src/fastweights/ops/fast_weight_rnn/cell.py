"""What a step of the fast-weights RNN does outside the memory, the same in both PyTorch backends."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.fast_weight_rnn.arguments import NONLINEARITIES


class Cell:
    """W, f and both LNs; arguments as `fast_weight_rnn` documents them."""

    def __init__(
        self,
        recurrent_weight: Float[Tensor, "hidden hidden"],
        *,
        norm_weight: Float[Tensor, " hidden"] | None,
        norm_bias: Float[Tensor, " hidden"] | None,
        preliminary_norm_weight: Float[Tensor, " hidden"] | None,
        preliminary_norm_bias: Float[Tensor, " hidden"] | None,
        nonlinearity: str,
        form: str,
        norm_eps: float,
    ) -> None:
        self.W_transposed = recurrent_weight.t()
        self.norm = (norm_weight, norm_bias)
        self.preliminary_norm = (preliminary_norm_weight, preliminary_norm_bias)
        self.f = NONLINEARITIES[nonlinearity]
        self.flat = form == "flat"
        self.eps = norm_eps

    def start(
        self, drive: Float[Tensor, "batch hidden"], h: Float[Tensor, "batch hidden"] | None
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
        """Return W h + drive, and h_0; h None is zero."""
        slow = drive if h is None else torch.addmm(drive, h, self.W_transposed)
        if self.flat:
            return slow, torch.zeros_like(drive) if h is None else h
        return slow, self.f(self._normed(slow, *self.preliminary_norm))

    def settle(self, z: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        """Return f(LN[z])."""
        return self.f(self._normed(z, *self.norm))

    def _normed(self, z: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return z if weight is None else layer_norm(z, z.shape[-1:], weight, bias, self.eps)
