"""What the layers on `ops.delta_memory` share: a memory that is written, then read, outside any recurrence."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fastweights import ops
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn.backbone import Backbone, Input, StepInput, Trace
from fastweights.ops.delta_memory.combine import key_shape
from fastweights.ops.delta_memory.history import History
from fastweights.ops.delta_memory.trace import look_inside


class Access(NamedTuple):
    """What a layer writes into its memory and asks of it, step by step.

    The fields are the arguments of `ops.delta_memory` by these names; `lead` is the batch, or batch and heads.
    """

    keys: tuple[Float[Tensor, "*lead time _"], ...]
    values: Float[Tensor, "*lead time value"]
    strength: Float[Tensor, "*lead time"]
    queries: tuple[Float[Tensor, "*lead time *_"], ...]
    gate: Float[Tensor, "*lead time"] | Literal["norm"] | None = None


class MemoryLayer(Backbone):
    """A layer that is its memory: keys, values and queries are functions of x alone.

    So they are known for all steps at once, and the memory runs over them in one call. A layer says
    in `access` what it writes and asks, and in `output` what it makes of what it retrieves. The
    memory is the first field of its state.

    Attributes:
        rule, combine, read_norm: options of `ops.delta_memory`.
        gating: None, "norm" or "tensor", the kind of gate that `access` returns.
        wide: whether what is written, kept and retrieved is in float32 or wider, whatever the
            parameters' type.
        key_sizes: features of each key factor.
        reads: reads in a chain.
        backend: which backend is asked for.
    """

    rule: Literal["delta", "hebbian"] = "delta"
    combine: Literal["product", "concat"] = "product"
    read_norm: bool = False
    gating: Literal["norm", "tensor"] | None = None
    wide: bool = False
    key_sizes: tuple[int, ...]
    reads: int = 1
    backend: str
    reads_outside = True

    @abstractmethod
    def access(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        read_mask: Bool[Tensor, "batch time"] | None = None,
    ) -> tuple[Access, tuple[Tensor, ...]]:
        """Return what is written and asked, and the new state but for its memory (state None: zeros).

        What is asked where `read_mask` is False is never looked at.
        """

    @abstractmethod
    def output(
        self, retrieved: Float[Tensor, "*lead time value"], x: Input
    ) -> Float[Tensor, "batch time output"]:
        """Return what the layer makes of what it retrieved."""

    def accessed(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None = None,
        read_mask: Bool[Tensor, "batch time"] | None = None,
    ) -> tuple[Access, tuple[Tensor, ...]]:
        """Return what `access` does, in the type that the memory is kept in."""
        access, rest = self.access(x, state, mask, read_mask)
        return states.to(access, self.state_dtype) if self.wide else access, rest

    @property
    def state_dtype(self) -> torch.dtype:
        own = self.anchor.dtype  # not by super(), which torch.compile cannot follow in a property
        return torch.promote_types(own, torch.float32) if self.wide else own

    def shares(
        self,
        weights: Float[Tensor, "*lead time reads past"],
        retrieved: Float[Tensor, "*lead time value"],
    ) -> Float[Tensor, "*lead time reads past"]:
        """Return the read weights of a trace as they count in the output."""
        return weights

    def run(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        return self.run_reading(x, state, mask, None, need_state)

    def run_reading(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        read_mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], Any]:
        retrieved, state = self.run_retrieval(x, state, mask, read_mask)
        y = self.output(retrieved, x)
        for seen in (mask, read_mask):
            if seen is not None:
                y = y.masked_fill(~seen[:, :, None], 0)
        return y, state

    def run_retrieval(
        self,
        x: Input,
        state: Any,
        mask: Bool[Tensor, "batch time"] | None,
        read_mask: Bool[Tensor, "batch time"] | None,
    ) -> tuple[Float[Tensor, "*lead time value"], Any]:
        """Run checked input through the memory alone."""
        access, rest = self.accessed(x, state, mask, read_mask)
        own = torch.autocast(x.device.type, enabled=False) if self.wide else nullcontext()
        with own:  # autocast would make what is retrieved narrow
            retrieved, memory = ops.delta_memory(
                **access._asdict(),
                memory=None if state is None else state.memory,
                rule=self.rule,
                combine=self.combine,
                read_norm=self.read_norm,
                mask=mask,
                read_mask=read_mask,
                backend=self.backend,
            )
        assert retrieved is not None
        return retrieved, self.state_type(memory, *rest)

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor] | None:
        value = self.state_shapes()[0][-1]
        addressed = math.prod(key_shape(self.key_sizes, self.combine))
        if time * (sum(self.key_sizes) + value) > addressed * value:  # F is the smaller
            return None
        history = History(
            time,
            rule=self.rule,
            clamp=self.gating == "norm",
            combine=self.combine,
            read_norm=self.read_norm,
        )
        # Its memory stays as it is: the history stands for it.
        state = self.initial_state(batch)

        def step(x: StepInput) -> Tensor:
            nonlocal state
            access, rest = self.accessed(x[:, None], state)
            state = self.state_type(state.memory, *rest)
            return self.output(_step(history, access), x[:, None])[:, 0]

        return step

    def run_trace(self, x: Input, state: Any, steps: tuple[int, ...]) -> Trace:
        before = self.initial_state(x.shape[0]) if state is None else state
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.anchor.dtype)
            access, rest = self.accessed(x, before)
            seen = look_inside(
                **access._asdict(),
                memory=before.memory,
                rule=self.rule,
                combine=self.combine,
                read_norm=self.read_norm,
                memory_steps=steps,
            )
            weights = self.shares(seen.read_weights, seen.retrieved)
            y = self.output(seen.retrieved, x)
        return Trace(
            output=y,
            hidden=y,
            read_weights=weights.movedim(-3, 1).flatten(2, -2),
            memory=seen.steps.movedim(access.strength.dim() - 1, 1),
            memory_steps=steps,
            state=self.state_type(seen.memory, *rest),
        )

    @property
    def backend_in_use(self) -> str:
        """Name the backend that runs for the layer's device, dtype and options."""
        return ops.backend.resolve(
            "delta_memory",
            self.backend,
            self.anchor.new_empty(self.state_shapes()[0], dtype=self.state_dtype),
            key_sizes=self.key_sizes,
            reads=self.reads,
            rule=self.rule,
            gate=self.gating,
            combine=self.combine,
        )

    def backend_line(self) -> str:
        """Say which backend was asked for and which runs."""
        try:
            runs = self.backend_in_use
        except UserError:
            runs = "none, it cannot run here"
        return f"backend={self.backend} (runs: {runs})"


def _step(history: History, access: Access) -> Float[Tensor, "*lead 1 value"]:
    """Retrieve in the one step accessed, in float32 or wider and outside autocast, as `ops.delta_memory` does."""
    like, lead = access.values, access.strength.shape[:-1]
    wide = torch.promote_types(like.dtype, torch.float32)

    def rows(part: Tensor) -> Tensor:
        return part.to(wide).flatten(0, len(lead))

    with torch.autocast(like.device.type, enabled=False):
        retrieved = history.step(
            tuple(rows(factor) for factor in access.keys),
            rows(access.values),
            rows(access.strength),
            tuple(rows(part) for part in access.queries),
            rows(access.gate) if isinstance(access.gate, Tensor) else None,
        )
    return retrieved.to(like.dtype).view(*lead, 1, -1)


def at_steps(
    layer: nn.Linear,
    x: Float[Tensor, "batch time input"],
    steps: Bool[Tensor, "batch time"] | None,
) -> Float[Tensor, "batch time features"]:
    """Apply a linear layer at the marked steps only (None: all); elsewhere 0.

    Where few are marked that is most of the work saved. On a GPU, asking which they are would wait
    for it, and a compiled graph has no such sizes: there it is applied everywhere.

    Example:
        >>> x, steps = torch.ones(1, 3, 2), torch.tensor([[False, True, False]])
        >>> at_steps(nn.Linear(2, 4), x, steps)[0, ::2].count_nonzero().item()
        0
    """
    if steps is None:
        return layer(x)
    if x.is_cuda or torch.compiler.is_compiling():
        return layer(x).masked_fill(~steps[:, :, None], 0)
    chosen = steps.flatten().nonzero().squeeze(1)
    y = layer(x.flatten(0, 1).index_select(0, chosen))
    return y.new_zeros(steps.numel(), y.shape[1]).index_copy(0, chosen, y).unflatten(0, steps.shape)
