"""The protocol that every backbone follows, so that any backbone runs on any task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn.parts import checks
from fastweights.nn.parts.auxiliary_loss import AuxiliaryLoss
from fastweights.nn.parts.construction import Constructed
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.reference import reference_tensor
from fastweights.nn.parts.stepper import StepInput, Stepper
from fastweights.nn.parts.trace import Trace
from fastweights.ops import padding
from fastweights.ops.tracing import look_into_rnns
from fastweights.ops.types import at_least_float32, autocasts

Input = Float[Tensor, "batch time input"] | Integer[Tensor, "batch time"]
Mask = Bool[Tensor, "batch time"] | None
"""True = a real step (`mask`), or one at which the memory is read (`read_mask`); None: all are."""
Steps = Bool[Tensor, "*batch time"] | Integer[Tensor, "*batch time"] | None
"""A mask as a caller may pass it: integers that are not 0 stand for True."""
S = TypeVar("S", bound=tuple[Any, ...])
"""The type of a backbone's states: a named tuple of tensors, or a tuple of such states."""
T = TypeVar("T")


class HiddenState(NamedTuple):
    """The state of a recurrence that carries its hidden vector alone, [batch, hidden]."""

    hidden: Float[Tensor, "batch hidden"]


class Backbone(Constructed, AuxiliaryLoss, Generic[S]):
    """A causal sequence layer with a carried state.

    `y, state = backbone(x, state)` maps x [batch, time, input] to y [batch, time, output]. The
    state is all there is to carry: a sequence fed whole, split anywhere, or token by token gives
    the same outputs, and rows of a batch never see each other.

    A layer names its state's type and shapes and writes its recurrence in `run`. Where it can be
    done faster, or shows more, it also writes `run_step`, `run_stepper` or `run_trace`. What a
    caller passes is checked here, once for all layers.

    Attributes:
        input_size: features of x.
        output_size: features of y.
        state_type: the named tuple of the layer's states.
        counters: the fields of the state that count, in int64.
        copied: the fields that hold inputs, or what a layer put out, as they were, in the parameters'
            dtype; the others, which a recurrence goes on from, are of `state_dtype`.
        takes_classes: whether integers [batch, time] may stand for one-hot vectors, which the layer
            then never makes (`parts.projection.project`).
        takes_embedded: whether `run` takes an `Embedded` as it is; for other layers `forward` looks
            its vectors up.
        reads_outside: whether the memory is read outside the recurrence, so that a step need not be
            read (`read_mask`).
    """

    input_size: int
    output_size: int
    state_type: ClassVar[Any] = HiddenState
    counters: ClassVar[tuple[str, ...]] = ()
    copied: ClassVar[tuple[str, ...]] = ()
    takes_classes: bool = False
    takes_embedded: bool = False
    reads_outside: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        states.register(cls.state_type)

    @abstractmethod
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each tensor of the state, without the batch dimension."""

    @abstractmethod
    def run(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time output"], S | None]:
        """Run checked input from `state` (None: zeros); the state may be None if not needed.

        `read_mask` is None for layers without `reads_outside`.
        """

    def run_step(self, x: StepInput, state: S | None) -> tuple[Float[Tensor, "batch output"], S]:
        """Run one checked time step from `state` (None: zeros)."""
        y, after = self.run(x[:, None], state, None, None, True)
        assert after is not None
        return y[:, 0], after

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor]:
        """Return a function that runs checked time steps, one after the other, from zero."""
        state: S | None = None

        def step(x: StepInput) -> Tensor:
            nonlocal state
            y, state = self.cast_outputs(*self.run_step(x, state))
            return y

        return step

    def run_trace(self, x: Input, state: S | None, steps: tuple[int, ...]) -> Trace:
        """Trace checked input; this one is for layers that output their hidden state."""
        y, state = self.run(x, state, None, None, True)
        return Trace(y, y, None, None, (), state)

    def forward(
        self,
        x: Float[Tensor, "*batch time input"] | Integer[Tensor, "*batch time"] | Embedded,
        state: S | None = None,
        *,
        mask: Steps = None,
        read_mask: Steps = None,
        need_state: bool = True,
    ) -> tuple[Float[Tensor, "*batch time output"], S | None]:
        """Run a whole sequence.

        Args:
            x: [batch, time, input], or [time, input] for one row (the state keeps a batch of 1);
                integer classes [batch, time] or [time] if the layer takes them; or an `Embedded`,
                classes with the table of their vectors.
            state: as an earlier call returned it; None means zeros.
            mask: [batch, time], True (or 1) = a real step. Padding is a prefix or a suffix of a row: what
                it holds, NaN even, is not looked at, its outputs are 0, and the state stays.
            read_mask: [batch, time], True = the memory is read, for layers that read it outside the
                recurrence. What is retrieved elsewhere is exactly 0; the state knows nothing of it.
            need_state: False returns None for the state, which some layers then need not build.

        Returns:
            y [batch, time, output] and the state after each row's last real step.

        Raises:
            UserError: for a wrong input size, dtype, device or mask, a state that is not this
                layer's, or a read_mask where there is no outside read.
        """
        embedded = isinstance(x, Embedded)
        steps = x.classes if embedded else x
        masks = {"mask": mask, "read_mask": read_mask}
        checks.check_tensors(type(self).__name__, {"input": steps}, masks)
        mask, read_mask = checks.as_mask(mask), checks.as_mask(read_mask)
        if steps.dim() == (2 if steps.is_floating_point() else 1):
            row = x._replace(classes=x.classes[None]) if embedded else x[None]
            one, one_read = (None if rows is None else rows[None] for rows in (mask, read_mask))
            y, state = self.forward(row, state, mask=one, read_mask=one_read, need_state=need_state)
            return y[0], state
        checked = self.check_sequence(x, state, mask, read_mask)
        y, state = self.run(checked, state, mask, read_mask, need_state)
        return self.cast_outputs(y, state if need_state else None)

    def step(self, x: StepInput, state: S | None = None) -> tuple[Float[Tensor, "batch output"], S]:
        """Run one time step in constant time and memory.

        Args:
            x: [batch, input], or classes [batch].
            state: as an earlier call returned it; None means zeros.

        Returns:
            y [batch, output] and the state after the step.

        Raises:
            UserError: as `forward` does.
        """
        self._check_step(x)
        if state is not None:
            self.check_state(state, x.shape[0])
        return self.cast_outputs(*self.run_step(x, state))

    def stepper(self, batch: int, time: int) -> Stepper:
        """Prepare for a sequence from zero, of at most `time` steps, whose inputs come one by one."""
        checks.check_sizes(batch=batch, time=time)
        run = self.run_stepper(batch, time)

        def step(x: StepInput) -> Tensor:
            self._check_step(x)
            return self.cast_outputs(run(x), None)[0]

        return Stepper(step, batch, time)

    def trace(
        self,
        x: Input,
        state: S | None = None,
        memory_steps: Sequence[int] | None = None,
    ) -> Trace:
        """Run a sequence and keep what happened inside.

        Args:
            x: [batch, time, input], or classes [batch, time].
            state: as an earlier call returned it; None means zeros.
            memory_steps: the steps, 0-based, at which to keep the memory; None means every step.

        Returns:
            A `Trace`; `read_weights` and `memory` are None for a layer that has none.

        Raises:
            UserError: as `forward` does, or for a step outside the sequence.
        """
        x = self.check_sequence(x, state)
        trace = self.run_trace(x, state, checks.check_steps(memory_steps, x.shape[1]))
        return trace._replace(state=self.cast_state(trace.state))

    def initial_state(self, batch: int) -> S:
        """Return the zero state of `batch` rows, on the parameters' device."""
        layout, device = self._state_layout(batch).values(), self.reference_parameter.device
        zeros = (torch.zeros(shape, dtype=kind, device=device) for shape, kind in layout)
        return self.state_type(*zeros)

    def _state_layout(self, batch: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Return the shape and dtype of each field of a state."""
        fields = zip(self.state_type._fields, self.state_shapes(), self._state_types(), strict=True)
        return {field: ((batch, *shape), kind) for field, shape, kind in fields}

    def _state_types(self) -> list[torch.dtype]:
        own = self.reference_parameter.dtype
        kinds = dict.fromkeys(self.counters, torch.int64) | dict.fromkeys(self.copied, own)
        wide = at_least_float32(own)
        return [kinds.get(field, wide) for field in self.state_type._fields]

    def check_sequence(
        self, x: Input | Embedded, state: S | None, mask: Mask = None, read_mask: Mask = None
    ) -> Any:
        """Raise `UserError` unless the layer can run these; return x with its padding zeroed, as `run` takes it."""
        like = x.outline() if isinstance(x, Embedded) else x
        self._check_input(like, "batch, time")
        for name, given in (("mask", mask), ("read_mask", read_mask)):
            if given is not None:
                checks.check_mask(type(self).__name__, name, given, like)
        if state is not None:
            self.check_state(state, like.shape[0])
        if read_mask is not None and not self.reads_outside:
            raise UserError(f"{type(self).__name__} has no outside read for a read_mask to skip")
        if isinstance(x, Embedded):
            x = x._replace(classes=padding.zeroed(x.classes, mask))
            checks.check_tokens(type(self).__name__, x.classes, len(x.table))
            return x if self.takes_embedded else x.vectors()
        return self._check_classes(padding.zeroed(x, mask))

    def check_state(self, state: S, batch: int) -> None:
        """Raise `UserError` unless `state` is one of this layer's, for `batch` rows."""
        layout, like = self._state_layout(batch), self.reference_parameter
        checks.check_state(type(self).__name__, state, self.state_type, layout, like)

    def _check_step(self, x: StepInput) -> None:
        self._check_input(x, "batch")
        self._check_classes(x)

    def _check_input(self, x: Tensor, axes: str) -> None:
        if torch.compiler.is_dynamo_compiling():
            look_into_rnns()
        sizes = (self.input_size, self.takes_classes)
        checks.check_input(type(self).__name__, x, axes, *sizes, self.reference_parameter)

    def _check_classes(self, x: Tensor) -> Tensor:
        if not x.is_floating_point():
            checks.check_tokens(type(self).__name__, x, self.input_size)
        return x

    @property
    def reference_parameter(self) -> Tensor:
        """A parameter, or what a tool put in its place: the states share its device and dtype."""
        return reference_tensor(self)

    @property
    def state_dtype(self) -> torch.dtype:
        """The dtype that the layer carries its state in: the parameters', or float32 where theirs is narrower.

        A whole sequence is computed in that type, so one that is cut, or run step by step, loses nothing at the cuts.
        """
        return at_least_float32(self.reference_parameter.dtype)

    def cast_outputs(self, y: Tensor, state: T) -> tuple[Tensor, T]:
        """Cast outputs to autocast's dtype where it is on, and the state to those that the layer carries it in."""
        like = self.reference_parameter
        if like.dtype == torch.float64:
            return y, state
        if autocasts(like.device):
            y = y.to(torch.get_autocast_dtype(like.device.type))
        elif like.dtype == torch.float32:
            return y, state
        return y, self.cast_state(state)

    def cast_state(self, state: T) -> T:
        """Return a state in the types that the layer carries it in."""
        if not isinstance(state, tuple):
            return state
        parts = zip(state, self._state_types(), strict=True)
        return type(state)(*(part.to(kind) for part, kind in parts))
