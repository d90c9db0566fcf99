"""The recurrent network with layer normalisation and no fast weights: what LN alone can do."""

from __future__ import annotations

import math
from typing import Literal, Unpack

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import check_choice
from fastweights.nn.backbone import HiddenState
from fastweights.nn.baselines.unrolled import Unrolled
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.ops.fast_weight_rnn import NONLINEARITIES


class LayerNormRNN(Unrolled[HiddenState, HiddenState]):
    """h(t) = f(LN[W h(t-1) + C x(t) + b]): the fast-weights RNN with its memory taken out.

    It starts as `FastWeightRNN` does, so that the two differ in the memory alone.

    Args:
        input_size: features of x.
        hidden_size: H, the features of h, over which LN normalises (gain, bias, ε = 1e-5).
        nonlinearity: f, "relu" or "tanh".
        recurrent_scale: W starts as this times the identity.
        norm_gain: the LN gain starts here.
        input_std: C starts normal with this standard deviation; None: 1 / √input_size, for dense x. One-hot x, of which
            a single feature is not 0, needs about 1.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Raises:
        UserError: for an option outside its range.

    Source: Ba, Kiros & Hinton, "Layer Normalization", 2016, eq. 4.

    Example:
        >>> import torch
        >>> y, state = LayerNormRNN(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.hidden.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        nonlinearity: Literal["relu", "tanh"] = "relu",
        recurrent_scale: float = 0.05,
        norm_gain: float = 1.0,
        input_std: float | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_choice("nonlinearity", nonlinearity, NONLINEARITIES)
        check_range("recurrent_scale", recurrent_scale)
        check_range("norm_gain", norm_gain)
        input_std = 1 / math.sqrt(input_size) if input_std is None else input_std
        check_range("input_std", input_std, low=0)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.nonlinearity = nonlinearity
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.norm = nn.LayerNorm(hidden_size)
        nn.init.normal_(self.input.weight, std=input_std)
        nn.init.zeros_(self.input.bias)
        nn.init.eye_(self.recurrent.weight).data.mul_(recurrent_scale)
        nn.init.constant_(self.norm.weight, norm_gain)

    def cell(self, drive: Float[Tensor, "batch hidden"], state: HiddenState) -> HiddenState:
        f = NONLINEARITIES[self.nonlinearity]
        return HiddenState(f(self.norm(self.recurrent(state.hidden) + drive)))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity}"
