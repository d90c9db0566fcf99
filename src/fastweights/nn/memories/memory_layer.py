"""The base of the layers on `ops.delta_memory`: a memory written, then read, outside any recurrence."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights import ops
from fastweights import state as states
from fastweights.nn.backbone import Backbone, Input, Mask, S, StepInput, Trace
from fastweights.nn.parts.backend import describe_backend
from fastweights.nn.parts.interleave import interleave
from fastweights.ops.delta_memory import History, Options, key_shape, trace
from fastweights.ops.delta_memory.options import state_of
from fastweights.ops.types import at_least_float32, without_autocast


class Access(NamedTuple):
    """Keys, values and queries of a sequence.

    The fields are the arguments of `ops.delta_memory` by these names; `lead` is the batch, or batch and heads. A step
    of several writes has as many places in time, one after the other; the last is read.

    Attributes:
        for_output: what the layer's output needs besides what is retrieved; of each step.
    """

    keys: tuple[Float[Tensor, "*lead time _"], ...]
    values: Float[Tensor, "*lead time value"]
    strength: Float[Tensor, "*lead time"]
    queries: tuple[Float[Tensor, "*lead time *_"], ...]
    gate: Float[Tensor, "*lead time *key"] | Literal["norm"] | None = None
    erase: Float[Tensor, "*lead time key"] | None = None
    momentum: Float[Tensor, "*lead time"] | None = None
    for_output: tuple[Tensor, ...] = ()


class MemoryLayer(Backbone[S]):
    """A layer that is its memory: keys, values and queries are functions of x alone.

    So they are known for all steps at once, and the memory runs over them in one call. A layer
    computes them in `access`, and its output from what it retrieves in `output`. The memory is the
    first field of its state, with momentum S the second.

    Attributes:
        rule, combine, read_norm: options of `ops.delta_memory`.
        gating: None, "norm", "step" or "channels", the kind of gate that `access` returns.
        erases: whether `access` returns an erase key.
        moves: whether it returns a momentum.
        writes: writes of a step.
        retrieves_wide: whether what is written and retrieved is in the type of the memory, float32 or
            wider, whatever the parameters' dtype.
        key_sizes: features of each key factor.
        reads: reads in a chain.
        backend: the requested backend.
    """

    rule: Literal["delta", "hebbian"] = "delta"
    combine: Literal["product", "concat"] = "product"
    read_norm: bool = False
    gating: Literal["norm", "step", "channels"] | None = None
    erases: bool = False
    moves: bool = False
    writes: int = 1
    retrieves_wide: bool = False
    key_sizes: tuple[int, ...]
    reads: int = 1
    backend: str
    reads_outside = True

    @abstractmethod
    def access(self, x: Input, state: S | None, mask: Mask) -> tuple[Access, tuple[Tensor, ...]]:
        """Return what is written and read, and the new state but for its memory (state None: zeros)."""

    def access_at(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        """Return what `access` does; a layer may skip the queries where `read_mask` is False."""
        return self.access(x, state, mask)

    @abstractmethod
    def output(
        self, retrieved: Float[Tensor, "*lead time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time output"]:
        """Return the layer's output, given what it retrieved, a place in time for each step."""

    def read_weights(
        self,
        weights: Float[Tensor, "*lead time reads past"],
        retrieved: Float[Tensor, "*lead time value"],
        access: Access,
    ) -> Float[Tensor, "*lead time reads past"]:
        """Return the read weights of a trace as they count in the output."""
        return weights

    def run(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time output"], S]:
        retrieved, after, access = self.run_retrieval(x, state, mask, read_mask)
        y = self.output(retrieved, x, access)
        for seen in (mask, read_mask):
            if seen is not None:
                y = y.masked_fill(~seen[:, :, None], 0)
        return y, after

    def run_retrieval(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask
    ) -> tuple[Float[Tensor, "*lead time value"], S, Access]:
        """Run checked input through the memory alone; return with the state what was written and read."""
        access, rest = self.access_at(x, state, mask, read_mask)
        # Autocast would narrow what is retrieved.
        with without_autocast(x.device) if self.retrieves_wide else nullcontext():
            retrieved, memory = ops.delta_memory(
                **self._arguments(access),
                memory=None if state is None else self._memory(state),
                rule=self.rule,
                combine=self.combine,
                read_norm=self.read_norm,
                mask=mask if mask is None else interleave([mask] * self.writes, 1),
                read_mask=self._places_read(x, read_mask),
                backend=self.backend,
            )
        assert retrieved is not None
        after = memory if self.moves else (memory,)
        return self._of_steps(retrieved, -2), self.state_type(*after, *rest), access

    def _memory(self, state: S) -> Any:
        """Return what the op carries of a state."""
        return state_of([part.to(self.state_dtype) for part in state[: 1 + self.moves]])

    def _kept(self, access: Access) -> Access:
        """Return what is written and read in the dtype that the memory is kept in."""
        return states.to(access, self.state_dtype) if self.retrieves_wide else access

    def _arguments(self, access: Access) -> dict[str, Any]:
        """Return the arguments of the op."""
        arguments = self._kept(access)._asdict()
        del arguments["for_output"]
        return arguments

    def _places_read(self, x: Input, read_mask: Mask) -> Bool[Tensor, "batch places"] | None:
        """Return the read mask over all writes: of a step's the last."""
        if self.writes == 1:
            return read_mask
        if read_mask is None:
            read_mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return interleave([*[torch.zeros_like(read_mask)] * (self.writes - 1), read_mask], 1)

    def _of_steps(self, x: Tensor, dim: int) -> Tensor:
        """Return what stands at the last write of each step, `dim` being negative."""
        return x if self.writes == 1 else x.unflatten(dim, (-1, self.writes)).select(dim, -1)

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor]:
        value = self.state_shapes()[0][-1]
        addressed = math.prod(key_shape(self.key_sizes, self.combine))
        places = time * self.writes
        if places * (sum(self.key_sizes) + value) > addressed * value:  # F is the smaller
            return super().run_stepper(batch, time)
        clamp = self.gating == "norm"
        history = History(places, Options(self.rule, clamp, self.combine, self.read_norm))
        # Its memory stays as it is: the history stands for it.
        state = self.initial_state(batch)

        def step(x: StepInput) -> Tensor:
            nonlocal state
            access, rest = self.access(x[:, None], state, None)
            state = self.state_type(*state[: 1 + self.moves], *rest)
            return self.output(_step(history, self._kept(access)), x[:, None], access)[:, 0]

        return step

    def run_trace(self, x: Input, state: S | None, steps: tuple[int, ...]) -> Trace:
        before = self.initial_state(x.shape[0]) if state is None else state
        with without_autocast(x.device):
            x = x.to(self.reference_parameter.dtype) if x.is_floating_point() else x
            access, rest = self.access(x, before, None)
            seen = trace(
                **self._arguments(access),
                memory=self._memory(before),
                rule=self.rule,
                combine=self.combine,
                read_norm=self.read_norm,
                memory_steps=[(step + 1) * self.writes - 1 for step in steps],
            )
            retrieved = self._of_steps(seen.retrieved, -2)
            weights = self._of_steps(seen.read_weights, -3).unflatten(-1, (-1, self.writes))
            weights = weights.movedim(-1, -2).flatten(-3, -2)  # a row for each read and write
            weights = self.read_weights(weights, retrieved, access)
            y = self.output(retrieved, x, access)
        return Trace(
            output=y,
            hidden=y,
            read_weights=weights.movedim(-3, 1).flatten(2, -2),
            memory=seen.steps.movedim(access.strength.dim() - 1, 1),
            memory_steps=steps,
            state=self.state_type(seen.memory, *([seen.velocity] * self.moves), *rest),
        )

    @property
    def backend_in_use(self) -> str:
        """Return the name of the backend that runs for the layer's device, dtype and options."""
        return ops.backend.resolve(
            "delta_memory",
            self.backend,
            self.reference_parameter.new_empty(self.state_shapes()[0], dtype=self.state_dtype),
            key_sizes=self.key_sizes,
            reads=self.reads,
            rule=self.rule,
            gate=self.gating,
            combine=self.combine,
            erase=self.erases,
            momentum=self.moves,
        )

    def backend_line(self) -> str:
        """Return which backend was requested and which runs."""
        return describe_backend(self.backend, lambda: self.backend_in_use)


def _step(history: History, access: Access) -> Float[Tensor, "*lead 1 value"]:
    """Return what is retrieved in one step, in float32 or wider and outside autocast, as `ops.delta_memory` does."""
    like, lead = access.values, access.strength.shape[:-1]
    compute, gate, erase = at_least_float32(like.dtype), access.gate, access.erase
    momentum = access.momentum
    retrieved = like

    def rows(part: Tensor, place: int) -> Tensor:
        return part.to(compute).flatten(0, len(lead) - 1)[:, place]

    with without_autocast(like.device):
        for place in range(access.strength.shape[-1]):
            retrieved = history.step(
                tuple(rows(factor, place) for factor in access.keys),
                rows(access.values, place),
                rows(access.strength, place),
                tuple(rows(part, place) for part in access.queries),
                rows(gate, place) if isinstance(gate, Tensor) else None,
                None if erase is None else rows(erase, place),
                None if momentum is None else rows(momentum, place),
            )
    return retrieved.to(like.dtype).view(*lead, 1, -1)
