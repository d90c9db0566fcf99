"""The long short-term memory, as `torch.nn.LSTM` computes it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.checks import check_range, check_sizes
from fastweights.nn.torch_rnn import TorchRNN


class LSTMState(NamedTuple):
    """hidden and cell, both [batch, hidden]."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]


class LSTM(TorchRNN):
    """The LSTM with forget gate, one layer of `torch.nn.LSTM` with its parameters and its start.

    Args:
        input_size: features of x.
        hidden_size: features of h and of the cell.
        forget_bias: added to the forget gate's bias at the start (1 remembers from the beginning).
        single_bias: one bias vector, which starts at zero, where `torch.nn.LSTM` adds two up.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000.

    Example:
        >>> y, state = LSTM(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.cell.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    state_type = LSTMState

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 0.0,
        single_bias: bool = False,
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_range("forget_bias", forget_bias)
        super().__init__(nn.LSTM(input_size, hidden_size, batch_first=True))
        bias = self.parameter("bias_ih_l0")
        if single_bias:
            nn.init.zeros_(bias)
            self.fix("bias_hh_l0", torch.zeros_like(bias.detach()))
        with torch.no_grad():
            bias[hidden_size : 2 * hidden_size] += forget_bias

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_size,), (self.output_size,)
