"""The protocol that every backbone follows, so that any backbone runs on any task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn.parts import checks
from fastweights.nn.parts.auxiliary_loss import Objective
from fastweights.nn.parts.embedded import Embedded
from fastweights.nn.parts.stepping import Stepper
from fastweights.ops import padding

Input = Float[Tensor, "batch time input"] | Integer[Tensor, "batch time"]
StepInput = Float[Tensor, "batch input"] | Integer[Tensor, " batch"]


class Trace(NamedTuple):
    """What a backbone did with a sequence, step by step: the one way to look inside.

    Attributes:
        output: [batch, time, output], the backbone's output.
        hidden: [batch, time, hidden], the hidden state after each step.
        read_weights: [batch, time, reads, time], how much each read of step t takes from what an
            earlier step wrote; 0 above the causal diagonal. None for backbones that do not attend.
        memory: [batch, len(memory_steps), …], the fast memory after the chosen steps; None where
            there is none.
        memory_steps: the steps (0-based) at which `memory` was taken.
        state: the state after the last step.
    """

    output: Float[Tensor, "batch time output"]
    hidden: Float[Tensor, "batch time hidden"]
    read_weights: Float[Tensor, "batch time reads past"] | None
    memory: Float[Tensor, "batch steps ..."] | None
    memory_steps: tuple[int, ...]
    state: Any


class HiddenState(NamedTuple):
    """The state of a recurrence that carries its hidden vector alone, [batch, hidden]."""

    hidden: Float[Tensor, "batch hidden"]


class Backbone(Objective, ABC):
    """A causal sequence layer with a carried state.

    `y, state = backbone(x, state)` maps x [batch, time, input] to y [batch, time, output]. The
    state is all there is to carry: a sequence fed whole, split anywhere, or token by token gives
    the same outputs, and rows of a batch never see each other.

    A layer names its state's type and shapes and writes its recurrence in `run` (and, where it can
    be done faster, `run_step`). What a caller passes is checked here, once for all layers.

    Attributes:
        input_size: features of x.
        output_size: features of y.
        state_type: the named tuple of the layer's states.
        counters: the fields of the state that count, in int64; the others are of `state_dtype`.
        takes_classes: whether integers [batch, time] may stand for one-hot vectors, which the layer
            then never makes (`project`).
        takes_embedded: whether `run` takes an `Embedded` as it is; for other layers `forward` looks
            its vectors up.
        reads_outside: whether the memory is read outside the recurrence, so that a step need not be
            read (`read_mask`).
    """

    input_size: int
    output_size: int
    state_type: ClassVar[type] = HiddenState
    counters: ClassVar[tuple[str, ...]] = ()
    takes_classes: bool = False
    takes_embedded: bool = False
    reads_outside: bool = False

    @abstractmethod
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Return the shape of each tensor of the state, without the batch dimension."""

    @abstractmethod
    def run(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        """Run checked input from `state` (None: zeros); the state may be None if not needed."""

    def run_reading(
        self,
        x: Any,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        read_mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        """Run as `run` does and read at the marked steps only (None: all)."""
        if read_mask is not None:
            raise UserError(f"{type(self).__name__} has no outside read for a read_mask to skip")
        return self.run(x, state, mask, need_state)

    def run_step(self, x: StepInput, state: Any) -> tuple[Float[Tensor, "batch output"], Any]:
        """Run one checked time step from `state` (None: zeros)."""
        y, state = self.run(x[:, None], state, None, True)
        return y[:, 0], state

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor] | None:
        """Prepare steps from zero that keep what costs less than the state; None: there is nothing that does."""
        return None

    def run_trace(self, x: Input, state: Any, steps: tuple[int, ...]) -> Trace:
        """Trace checked input; as it stands for layers that output their hidden state."""
        y, state = self.run(x, state, None, True)
        return Trace(y, y, None, None, (), state)

    def forward(
        self,
        x: Float[Tensor, "*batch time input"] | Integer[Tensor, "*batch time"] | Embedded,
        state: Any = None,
        *,
        mask: Bool[Tensor, "*batch time"] | None = None,
        read_mask: Bool[Tensor, "*batch time"] | None = None,
        need_state: bool = True,
    ) -> tuple[Float[Tensor, "*batch time output"], Any]:
        """Run a whole sequence.

        Args:
            x: [batch, time, input], or [time, input] for one row (the state keeps a batch of 1);
                integer classes [batch, time] or [time] if the layer takes them; or an `Embedded`,
                classes with the table of their vectors.
            state: as an earlier call returned it; None means zeros.
            mask: [batch, time], True = a real step. Padding is a prefix or a suffix of a row: what
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
        if steps.dim() == (2 if steps.is_floating_point() else 1):
            row = x._replace(classes=x.classes[None]) if embedded else x[None]
            one, one_read = (None if rows is None else rows[None] for rows in (mask, read_mask))
            y, state = self.forward(row, state, mask=one, read_mask=one_read, need_state=need_state)
            return y[0], state
        x = self.check_sequence(x, state, mask, read_mask)
        y, state = self.run_reading(x, state, mask, read_mask, need_state)
        return self.settle(y, state if need_state else None)

    def step(self, x: StepInput, state: Any = None) -> tuple[Float[Tensor, "batch output"], Any]:
        """Run one time step in constant time and memory.

        Args:
            x: [batch, input], or classes [batch].
            state: as an earlier call returned it; None means zeros.

        Returns:
            y [batch, output] and the state after the step.

        Raises:
            UserError: as `forward` does.
        """
        checks.check_input(self, x, "batch")
        checks.check_classes(self, x)
        if state is not None:
            self.check_state(state, x.shape[0])
        return self.settle(*self.run_step(x, state))

    def stepper(self, batch: int, time: int) -> Stepper:
        """Prepare for a sequence from zero, of at most `time` steps, whose inputs come one by one."""
        return Stepper(self, batch, time)

    def trace(
        self,
        x: Input,
        state: Any = None,
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
        return self.run_trace(x, state, checks.check_steps(memory_steps, x.shape[1]))

    def initial_state(self, batch: int) -> Any:
        """Return the zero state of `batch` rows, on the parameters' device."""
        new, kind = self.anchor.new_zeros, self.state_dtype
        zeros = self.state_type(*(new(batch, *shape, dtype=kind) for shape in self.state_shapes()))
        return zeros._replace(**{name: getattr(zeros, name).long() for name in self.counters})

    def check_sequence(
        self,
        x: Input | Embedded,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None = None,
        read_mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Any:
        """Raise `UserError` unless the layer can run these; return x with its padding zeroed, as `run` takes it."""
        like = x.outline() if isinstance(x, Embedded) else x
        checks.check_input(self, like, "batch, time")
        for name, given in (("mask", mask), ("read_mask", read_mask)):
            if given is not None:
                checks.check_mask(name, given, like)
        if state is not None:
            self.check_state(state, like.shape[0])
        if isinstance(x, Embedded):
            x = x._replace(classes=padding.zeroed(x.classes, mask))
            checks.check_classes(self, x)
            return x if self.takes_embedded else x.vectors()
        x = padding.zeroed(x, mask)
        checks.check_classes(self, x)
        return x

    def check_state(self, state: Any, batch: int) -> None:
        """Raise `UserError` unless `state` is one of this layer's, for `batch` rows."""
        checks.check_state(self, state, batch)

    @property
    def anchor(self) -> Tensor:
        """A parameter, whose device and dtype the states share."""
        return next(self.parameters())

    @property
    def state_dtype(self) -> torch.dtype:
        """The type of the layer's states: the parameters'."""
        return self.anchor.dtype

    def settle(self, y: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Under autocast: outputs in its dtype, the state carried in the layer's own."""
        like = self.anchor
        device = like.device.type
        if not torch.is_autocast_enabled(device) or like.dtype == torch.float64:
            return y, state
        return y.to(torch.get_autocast_dtype(device)), self.settle_state(state)

    def settle_state(self, state: Any) -> Any:
        """Return a state in the types that the layer carries it in."""
        return states.to(state, self.state_dtype)


def auxiliary_loss(model: nn.Module) -> Tensor | None:
    """Add up what the modules of a model left behind of objectives of their own; None if nothing.

    Example:
        >>> from fastweights.nn import MetalearnedNeuralMemory
        >>> layer = MetalearnedNeuralMemory(3, 4, memory_size=2)
        >>> y, _ = layer(torch.randn(1, 5, 3))
        >>> torch.equal(auxiliary_loss(nn.Sequential(layer)), layer.auxiliary_loss)
        True
    """
    having = [each for each in model.modules() if isinstance(each, Objective)]
    losses = [each.auxiliary_loss for each in having if each.auxiliary_loss is not None]
    return torch.stack(losses).sum() if losses else None


def project(
    linear: nn.Linear, x: Float[Tensor, "*any input"] | Integer[Tensor, "*any"]
) -> Float[Tensor, "*any features"]:
    """Return C x + b; where x holds classes, their columns of C, which is the same and faster.

    Example:
        >>> linear = nn.Linear(3, 2)
        >>> one_hot = torch.eye(3)[[2, 0]]
        >>> torch.allclose(project(linear, torch.tensor([2, 0])), project(linear, one_hot))
        True
    """
    if x.is_floating_point():
        return linear(x)
    table, classes = linear.weight.t(), x.flatten()
    few = classes.numel() < linear.in_features
    table = table.index_select(0, classes) if few else table.contiguous()
    if linear.bias is not None:
        table = table + linear.bias
    return (table if few else table.index_select(0, classes)).unflatten(0, x.shape)
