"""The network of Schlag et al. 2021: an LSTM that writes to and reads from a Fast Weight Memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Unpack

from jaxtyping import Float
from torch import Tensor

from fastweights import ops
from fastweights.nn.backbone import Backbone, Input, Mask, StepInput, Trace
from fastweights.nn.baselines.lstm import LSTM, LSTMState
from fastweights.nn.memories.fast_weight_memory import FastWeightMemory, FastWeightMemoryState
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.embedded import Embedded


class FWMLSTMState(NamedTuple):
    """hidden and cell [batch, hidden] of the LSTM; memory [batch, k1, k2, value], as its layer has it."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]
    memory: Float[Tensor, "batch *keys value"]


class FWMLSTM(Backbone[FWMLSTMState]):
    """An LSTM with a Fast Weight Memory on top of it.

        h(t) = LSTM(x(t), h(t-1))
        y(t) = h(t) + FastWeightMemory(h)(t)                    without h(t) if not residual

    The LSTM never sees the memory, so each runs over the whole sequence by itself. A step that
    `read_mask` leaves out has y(t) = h(t), or exactly 0 if not residual.

    Args:
        input_size: features of x.
        hidden_size: features of h and of y.
        memory_size: d, the features of the memory's k1 and v.
        reads: chained reads in a step.
        variant: "catbabi", "paper", "language_model" or "meta_rl", as `FastWeightMemory` has them.
        residual: whether h is added; None means the variant's: in all but "catbabi".
        key_size: features of the memory's k2; None means memory_size.
        combine: "product" or "concat", how the memory's two key factors make one key.
        write_scale: the memory's scale on writes; None means the variant's.
        clamp: whether the memory's norm is held at 1 or below.
        recurrent_dropout: the probability, in training, that an element of the LSTM's W_hh is
            dropped (once a forward, for all its rows and steps).
        backend: the memory's, and the LSTM's where it has one of that name;
            `ops.delta_memory` lists them. They differ in speed alone; all of it has a second
            derivative with "reference".
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    In the variant "catbabi" the LSTM has one bias vector that starts at zero, 1 for the forget gate;
    otherwise it starts as `torch.nn.LSTM` does.

    Parameters: those of `lstm` and of `memory`.

    Raises:
        UserError: for an option outside its range.

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight
    Memory", ICLR 2021, section 3 and figure 1.

    Example:
        >>> import torch
        >>> layer = FWMLSTM(8, 16, memory_size=4)
        >>> y, state = layer(torch.randn(2, 11, 8))
        >>> y.shape, state.cell.shape, state.memory.shape
        (torch.Size([2, 11, 16]), torch.Size([2, 16]), torch.Size([2, 4, 4, 4]))
    """

    state_type = FWMLSTMState
    takes_classes = True
    takes_embedded = True
    reads_outside = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory_size: int = 32,
        reads: int = 3,
        *,
        variant: Literal["catbabi", "paper", "language_model", "meta_rl"] = "catbabi",
        residual: bool | None = None,
        key_size: int | None = None,
        combine: Literal["product", "concat"] = "product",
        write_scale: float | None = None,
        clamp: bool = True,
        recurrent_dropout: float = 0.0,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        memory = FastWeightMemory(
            hidden_size,
            memory_size,
            reads,
            variant=variant,
            key_size=key_size,
            combine=combine,
            write_scale=write_scale,
            clamp=clamp,
            backend=backend,
        )
        constants = memory.constants
        self.lstm = LSTM(
            input_size,
            hidden_size,
            forget_bias=constants.forget_bias,
            single_bias=constants.single_bias,
            recurrent_dropout=recurrent_dropout,
            backend=ops.backend.backend_or_auto("lstm", backend),
        )
        self.memory = memory
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.residual = constants.residual if residual is None else residual

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return *self.lstm.state_shapes(), self.memory.state_shapes()[0]

    @property
    def backend_in_use(self) -> str:
        """Return the name of the backend that runs the memory."""
        return self.memory.backend_in_use

    def run(
        self,
        x: Input | Embedded,
        state: FWMLSTMState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], FWMLSTMState]:
        below, above = _split(state)
        h, below = self.lstm.run(x, below, mask, None, True)
        y, above = self.memory.run(h, above, mask, read_mask, need_state)
        return self._sum(h, y), FWMLSTMState(below.hidden, below.cell, above.memory)

    def run_step(
        self, x: StepInput, state: FWMLSTMState | None
    ) -> tuple[Float[Tensor, "batch hidden"], FWMLSTMState]:
        below, above = _split(state)
        h, below = self.lstm.run_step(x, below)
        y, above = self.memory.run_step(h, above)
        return self._sum(h, y), FWMLSTMState(below.hidden, below.cell, above.memory)

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor]:
        below, above = self.lstm.run_stepper(batch, time), self.memory.run_stepper(batch, time)

        def step(x: StepInput) -> Tensor:
            h = below(x)
            return self._sum(h, above(h))

        return step

    def run_trace(self, x: Input, state: FWMLSTMState | None, steps: tuple[int, ...]) -> Trace:
        below, above = _split(state)
        h, below = self.lstm.run(x, below, None, None, True)
        trace = self.memory.run_trace(h, above, steps)
        return trace._replace(
            output=self._sum(h, trace.output),
            hidden=h,
            state=FWMLSTMState(below.hidden, below.cell, trace.state.memory),
        )

    def _sum(
        self, h: Float[Tensor, "*any hidden"], y: Float[Tensor, "*any hidden"]
    ) -> Float[Tensor, "*any hidden"]:
        return h + y if self.residual else y

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, residual={self.residual}"


def _split(
    state: FWMLSTMState | None,
) -> tuple[LSTMState | None, FastWeightMemoryState | None]:
    """Split a state into the LSTM's and the memory's."""
    if state is None:
        return None, None
    recent = state.hidden.new_empty(state.hidden.shape[0], 0, state.hidden.shape[1])
    return LSTMState(state.hidden, state.cell), FastWeightMemoryState(state.memory, recent)
