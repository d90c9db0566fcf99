"""A step of the fast-weights RNN outside the memory, the same in both PyTorch backends."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.fast_weight_rnn.arguments import NONLINEARITIES
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


class Cell:
    """W, f and both LNs."""

    def __init__(self, inputs: Inputs, options: Options) -> None:
        self.W_transposed = inputs.recurrent_weight.t()
        self.norm = (inputs.norm_weight, inputs.norm_bias)
        self.preliminary_norm = (inputs.preliminary_norm_weight, inputs.preliminary_norm_bias)
        self.f = NONLINEARITIES[options.nonlinearity]
        self.flat = options.form == "flat"
        self.eps = options.norm_eps

    def start(
        self, drive: Float[Tensor, "batch hidden"], h: Float[Tensor, "batch hidden"] | None
    ) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]]:
        """Return z = W h + drive, and h_0; h None is zero."""
        z = drive if h is None else torch.addmm(drive, h, self.W_transposed)
        if self.flat:
            return z, torch.zeros_like(drive) if h is None else h
        return z, self.f(self._normed(z, *self.preliminary_norm))

    def activate(self, z: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch hidden"]:
        """Return f(LN[z])."""
        return self.f(self._normed(z, *self.norm))

    def _normed(self, z: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return z if weight is None else layer_norm(z, z.shape[-1:], weight, bias, self.eps)
