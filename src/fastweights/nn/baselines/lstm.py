"""The long short-term memory: the parameters, states and results of `torch.nn.LSTM`, and its own kernels."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import ops
from fastweights.nn.backbone import Input, Mask, StepInput
from fastweights.nn.baselines.torch_rnn import TorchRNN
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.plain import read
from fastweights.ops.tracing import is_open, traced
from fastweights.ops.types import autocasts

ROWS = 8
"""Rows from which on a processor's own LSTM of vectors is the faster one, or as fast (measured: `bench lstm`)."""


class LSTMState(NamedTuple):
    """hidden and cell, both [batch, hidden]."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]


class LSTM(TorchRNN[LSTMState]):
    """The LSTM with forget gate, one layer of `torch.nn.LSTM` with its parameters and its start.

        i, f, g, o = W_ih x(t) + b_ih + W_hh h(t-1) + b_hh
        c(t) = σ(f) c(t-1) + σ(i) tanh(g)        h(t) = σ(o) tanh(c(t))

    Args:
        input_size: features of x.
        hidden_size: features of h and of the cell.
        forget_bias: added to the forget gate's bias at the start (1 remembers from the beginning).
        single_bias: one bias vector, which starts at zero, where `torch.nn.LSTM` adds two up.
        recurrent_dropout: the probability that an element of W_hh is dropped in training; the mask
            is drawn anew in each forward (and step) and holds for all rows and steps of it
            (DropConnect, as in AWD-LSTM: Wan et al. 2013, Merity et al. 2018).
        backend: "cpu" (fused kernels), "torch" (the module of `torch.nn`: MKL, cuDNN), "reference"
            (step by step), or "auto": "cpu" where it can run, "torch" elsewhere, and for 8 rows or
            more of unpadded float32 vectors, where oneDNN is as fast or faster. They differ in speed
            alone, and "cpu" has no second derivative.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: those of `torch.nn.LSTM`, as `rnn`.

    Raises:
        UserError: for an option outside its range.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000.

    Example:
        >>> y, state = LSTM(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.cell.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    state_type = LSTMState
    takes_classes = True
    takes_embedded = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 0.0,
        single_bias: bool = False,
        recurrent_dropout: float = 0.0,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_range("forget_bias", forget_bias)
        check_range("recurrent_dropout", recurrent_dropout, 0, 1)
        check_backend("lstm", backend, "torch")
        super().__init__(nn.LSTM(input_size, hidden_size, batch_first=True))
        self.backend, self.recurrent_dropout = backend, recurrent_dropout
        bias = self.parameter("bias_ih_l0")
        if single_bias:
            nn.init.zeros_(bias)
            self.fix("bias_hh_l0", 0.0)
        with torch.no_grad():
            bias[hidden_size : 2 * hidden_size] += forget_bias

    @property
    def backend_in_use(self) -> str:
        """Return the name of the backend for the layer's device and dtype; of "auto", what runs words and few rows."""
        if self.backend == "torch":
            return "torch"
        found = ops.backend.resolve("lstm", self.backend, self.reference_parameter)
        plain = self.backend == "auto" and not ops.backend.is_fused("lstm", found)
        return "torch" if plain else found

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.output_size,), (self.output_size,)

    def run(
        self,
        x: Input | Embedded,
        state: LSTMState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], LSTMState]:
        if self._called() or self.backend_in_use == "torch" or self._suits_torch(x, mask):
            return super().run(self._vectors(x), state, mask, None, need_state)
        return self._recur(*self._gates(x), state, mask, self.backend)

    def run_step(
        self, x: StepInput, state: LSTMState | None
    ) -> tuple[Float[Tensor, "batch hidden"], LSTMState]:
        if self._called():
            return super().run_step(self._vectors(x[:, None])[:, 0], state)
        exact = self.reference_parameter.dtype == self.state_dtype and not autocasts(x.device)
        if x.is_floating_point() and exact:
            return super().run_step(x, state)
        # A cell of torch's would round the state to a narrow type at every step.
        y, state = self._recur(*self._gates(x[:, None]), state, None, "reference")
        return y[:, 0], state

    def _suits_torch(self, x: Input | Embedded, mask: Mask) -> bool:
        """Return whether "auto" takes oneDNN for an input: on words, padded and few rows the kernels are faster."""
        if self.backend != "auto" or mask is not None or isinstance(x, Embedded):
            return False
        if x.dtype != torch.float32 or x.device.type != "cpu" or traced() or autocasts(x.device):
            return False
        dropped = self.training and self.recurrent_dropout > 0
        return not dropped and torch.backends.mkldnn.is_available() and x.shape[0] >= ROWS

    def _called(self) -> bool:
        return self.backend in ("auto", "torch") and super()._called()

    def _recur(
        self,
        gates: Tensor,
        classes: Tensor | None,
        state: LSTMState | None,
        mask: Tensor | None,
        backend: str,
    ) -> tuple[Tensor, LSTMState]:
        hidden, cell = (None, None) if state is None else state
        y, hidden, cell = ops.lstm(
            gates,
            self.recurrent_weight(),
            classes=classes,
            hidden=hidden,
            cell=cell,
            mask=mask,
            backend=backend,
        )
        return y, LSTMState(hidden, cell)

    def _gates(self, x: Input | Embedded) -> tuple[Tensor, Tensor | None]:
        """Return W_ih x + b of every step and None, or of every class and the classes, whatever is less."""
        read(self, "rnn")
        weight = self.parameter("weight_ih_l0")
        bias = self.parameter("bias_ih_l0") + self.parameter("bias_hh_l0")
        if isinstance(x, Embedded):
            count = x.classes.numel()
            if not is_open(count) and x.table.shape[0] <= count:
                return F.linear(x.table, weight, bias), x.classes
            x = x.vectors()
        if x.is_floating_point():
            return F.linear(x, weight, bias), None
        columns = weight.t()
        if not is_open(x.numel()) and self.input_size <= x.numel():
            return columns + bias, x
        return (columns.index_select(0, x.flatten()) + bias).unflatten(0, x.shape), None

    def _vectors(self, x: Input | Embedded) -> Float[Tensor, "batch time input"]:
        """Return the input that `torch.nn` takes."""
        if isinstance(x, Embedded):
            return x.vectors()
        if x.is_floating_point():
            return x
        return F.one_hot(x.long(), self.input_size).to(self.reference_parameter.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, backend={self.backend}"
