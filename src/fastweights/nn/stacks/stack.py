"""Layers on top of each other, as one backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeGuard, Unpack, cast

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.nn.backbone import Backbone, Input, Mask, StepInput, T, Trace
from fastweights.nn.parts.checks import check_range
from fastweights.nn.parts.construction import Construction, Placement
from fastweights.nn.parts.dropout import VariationalDropout
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.wrapped import has_hooks, inside
from fastweights.state import States


class Stack(Backbone[tuple[Any, ...]]):
    """Backbones one after the other; the state is the tuple of theirs. Layers with `num_layers` above 1 are one.

        y_1 = layer_1(x)
        y_l = layer_l(drop(y_l-1))                 l = 2 … L
        y_l = y_l-1 + layer_l(drop(y_l-1))         if residual

    `trace` shows the inside of the last layer; `layers[i].trace` that of any other. A `read_mask`
    too is the last layer's: what those below output goes into states. A layer may be wrapped in another
    module, or have hooks: it is then called, whole and by steps, as any module is.

    Args:
        layers: at least one backbone, or module around one, each taking what the one before it outputs.
        residual: whether every layer but the first adds what it takes to what it outputs.
        dropout: the probability, in training, that a feature between two layers is dropped, the
            same ones at all steps of a row (`VariationalDropout`). What is added is not dropped.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Raises:
        UserError: if there is no layer, one is no backbone nor around one, two sizes do not fit, or an
            option is outside its range.

    Example:
        >>> import torch
        >>> from fastweights.nn import LSTM, FastWeightRNN
        >>> y, state = Stack([LSTM(8, 16), FastWeightRNN(16, 12)])(torch.randn(4, 11, 8))
        >>> y.shape, len(state)
        (torch.Size([4, 11, 12]), 2)
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        *,
        residual: bool = False,
        dropout: float = 0.0,
        **options: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_range("dropout", dropout, 0, 1)
        self.layers = nn.ModuleList(layers)
        if not self.layers:
            raise UserError("a stack has no layers; accepted: one or more")
        for below, above in zip(self._backbones(), self._backbones()[1:], strict=False):
            if below.output_size != above.input_size:
                raise UserError(
                    f"a {type(below).__name__} of output size {below.output_size} lies under a "
                    f"{type(above).__name__} of input size {above.input_size}"
                )
            if residual and above.output_size != above.input_size:
                raise UserError(
                    f"a residual {type(above).__name__} has input size {above.input_size} and "
                    f"output size {above.output_size}; accepted: the same"
                )
        self.residual, self.dropout = residual, VariationalDropout(dropout)
        self.input_size = self._backbones()[0].input_size
        self.output_size = self._backbones()[-1].output_size
        self.takes_classes = self._backbones()[0].takes_classes
        self.takes_embedded = self._backbones()[0].takes_embedded
        self.reads_outside = self._backbones()[-1].reads_outside
        self.num_layers = len(self.layers)

    @property
    def backend_in_use(self) -> str:
        """Return the name of the backend that runs the last layer, which must be one with backends."""
        return cast("str", cast("Any", self._backbones()[-1]).backend_in_use)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(shape for layer in self._backbones() for shape in layer.state_shapes())

    def reset_parameters(self) -> None:
        for layer in self._backbones():
            layer.reset_parameters()

    def initial_state(self, batch: int) -> tuple[Any, ...]:
        return States(layer.initial_state(batch) for layer in self._backbones())

    def check_state(self, state: tuple[Any, ...], batch: int) -> None:
        if type(state) not in (tuple, States) or len(state) != len(self.layers):
            raise UserError(
                f"{type(self).__name__}: the state is a {type(state).__name__}; "
                f"accepted: the tuple of the states of its {len(self.layers)} layers"
            )
        for layer, part in zip(self._backbones(), state, strict=True):
            layer.check_state(part, batch)

    def cast_state(self, state: T) -> T:
        if not isinstance(state, tuple):
            return state
        parts = zip(self._backbones(), state, strict=True)
        return cast("T", States(layer.cast_state(part) for layer, part in parts))

    def run(
        self,
        x: Input | Embedded,
        state: tuple[Any, ...] | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], tuple[Any, ...]]:
        def run(layer: nn.Module, x: Any, before: Any, last: bool) -> tuple[Tensor, object]:
            read = read_mask if last else None
            if _is_bare(layer):
                return layer.run(x, before, mask, read, need_state)
            return layer(x, before, mask=mask, read_mask=read, need_state=need_state)

        return self._compose(run, self.dropout, x, state)

    def run_step(
        self, x: StepInput, state: tuple[Any, ...] | None
    ) -> tuple[Float[Tensor, "batch output"], tuple[Any, ...]]:
        def run(layer: nn.Module, x: Any, before: Any, last: bool) -> tuple[Tensor, object]:
            if _is_bare(layer):
                return layer.run_step(x, before)
            y, after = layer(x[:, None], before)
            return y[:, 0], after

        return self._compose(run, lambda y: self.dropout(y[:, None])[:, 0], x, state)

    def run_trace(self, x: Input, state: tuple[Any, ...] | None, steps: tuple[int, ...]) -> Trace:
        def run(layer: nn.Module, x: Any, before: Any, last: bool) -> tuple[Tensor, object]:
            if not last:
                return (
                    layer.run(x, before, None, None, True) if _is_bare(layer) else layer(x, before)
                )
            trace = inside(layer, Backbone).run_trace(x, before, steps)
            return trace.output, trace

        y, (*after, trace) = self._compose(run, self.dropout, x, state)
        return trace._replace(output=y, state=States((*after, trace.state)))

    def _compose(
        self,
        run: Callable[[nn.Module, Any, Any, bool], tuple[Tensor, object]],
        dropout: Callable[[Tensor], Tensor],
        x: Any,
        state: tuple[Any, ...] | None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Run the layers one after the other; return the output of the last, and all states.

        `run` is told whether its layer is the last, which no layer knows of itself: one may lie in a stack twice.
        """
        y, after, last = x, [], len(self.layers) - 1
        befores = (None,) * len(self.layers) if state is None else state
        for place, (layer, before) in enumerate(zip(self.layers, befores, strict=True)):
            h, part = run(layer, dropout(y) if place else x, before, place == last)
            y = y + h if self.residual and place else h
            after.append(part)
        return y, States(after)

    def _backbones(self) -> list[Backbone]:
        """Return the layers, without what may be around them."""
        return [inside(layer, Backbone) for layer in self.layers]


def _is_bare(layer: nn.Module) -> TypeGuard[Backbone]:
    """Return whether calling a layer is running it: nothing is around it, and it has no hooks."""
    return isinstance(layer, Backbone) and not has_hooks(layer)


Construction.stack = Stack
