"""Layers on top of each other, as one backbone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.nn.base import Backbone, Input, StepInput, Trace
from fastweights.nn.embedded import Embedded


class Stack(Backbone):
    """Backbones one after the other; the state is the tuple of theirs.

    `trace` shows the inside of the last layer; `layers[i].trace` that of any other. A `read_mask`
    too is the last layer's: what those below put out goes into states.

    Args:
        layers: at least one backbone, each taking what the one before it puts out.

    Raises:
        UserError: if there is no layer, or two sizes do not fit.

    Example:
        >>> import torch
        >>> from fastweights.nn import LSTM, FastWeightRNN
        >>> y, state = Stack([LSTM(8, 16), FastWeightRNN(16, 12)])(torch.randn(4, 11, 8))
        >>> y.shape, len(state)
        (torch.Size([4, 11, 12]), 2)
    """

    def __init__(self, layers: Iterable[Backbone]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if not self.layers:
            raise UserError("a stack has no layers; accepted: one or more")
        for below, above in zip(self._backbones(), self._backbones()[1:], strict=False):
            if below.output_size != above.input_size:
                raise UserError(
                    f"a {type(below).__name__} of output size {below.output_size} lies under a "
                    f"{type(above).__name__} of input size {above.input_size}"
                )
        self.input_size = self._backbones()[0].input_size
        self.output_size = self._backbones()[-1].output_size
        self.takes_classes = self._backbones()[0].takes_classes
        self.takes_embedded = self._backbones()[0].takes_embedded
        self.reads_outside = self._backbones()[-1].reads_outside

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(shape for layer in self._backbones() for shape in layer.state_shapes())

    def initial_state(self, batch: int) -> tuple[Any, ...]:
        return tuple(layer.initial_state(batch) for layer in self._backbones())

    def check_state(self, state: Any, batch: int) -> None:
        if type(state) is not tuple or len(state) != len(self.layers):
            raise UserError(
                f"Stack: the state is a {type(state).__name__}; "
                f"accepted: the tuple of the states of its {len(self.layers)} layers"
            )
        for layer, part in zip(self._backbones(), state, strict=True):
            layer.check_state(part, batch)

    def run(
        self,
        x: Input | Embedded,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        return self.run_reading(x, state, mask, None, need_state)

    def run_reading(
        self,
        x: Input | Embedded,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        read_mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        *below, last = zip(self._backbones(), self._states(state), strict=True)
        y: Any = x
        after = []
        for layer, before in below:
            y, part = layer.run(y, before, mask, need_state)
            after.append(part)
        y, part = last[0].run_reading(y, last[1], mask, read_mask, need_state)
        return y, (*after, part)

    def run_step(self, x: StepInput, state: Any) -> tuple[Float[Tensor, "batch output"], Any]:
        after = []
        for layer, before in zip(self._backbones(), self._states(state), strict=True):
            x, part = layer.run_step(x, before)
            after.append(part)
        return x, tuple(after)

    def run_trace(self, x: Input, state: Any, steps: tuple[int, ...]) -> Trace:
        *below, last = zip(self._backbones(), self._states(state), strict=True)
        after = []
        for layer, before in below:
            x, part = layer.run(x, before, None, True)
            after.append(part)
        trace = last[0].run_trace(x, last[1], steps)
        return trace._replace(state=(*after, trace.state))

    def _backbones(self) -> list[Backbone]:
        return [layer for layer in self.layers if isinstance(layer, Backbone)]

    def _states(self, state: Any) -> tuple[Any, ...]:
        return (None,) * len(self.layers) if state is None else state
