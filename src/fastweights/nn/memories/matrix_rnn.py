"""The base of the memories written step by step, by a rule that no chunk of time can take at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import state as states
from fastweights.nn.backbone import Backbone, Input, Mask, S, StepInput, Trace
from fastweights.nn.baselines.unrolled import run_reads
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.heads import head_size
from fastweights.nn.parts.projection import project
from fastweights.ops import padding
from fastweights.ops.types import without_autocast


class MatrixState(NamedTuple):
    """memory [batch, heads, key, value]."""

    memory: Float[Tensor, "batch heads key value"]


class MatrixRNN(Backbone[S]):
    """Memories side by side, carried in float32 or wider whatever the parameters' type; what they read is the output.

    The state has a field `memory`. The input part of all steps is computed at once, by `input`.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
    """

    takes_classes = True
    input: nn.Linear

    def __init__(
        self, input_size: int, hidden_size: int, heads: int, key_size: int | None = None
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        self.value_size = head_size(hidden_size, heads)
        self.key_size = self.value_size if key_size is None else key_size
        check_sizes(key_size=self.key_size)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads = heads

    @abstractmethod
    def advance(
        self, drive: Float[Tensor, "batch drive"], state: S
    ) -> tuple[Float[Tensor, "batch hidden"], S]:
        """Return what a step reads and the state after it, in the type of the state."""

    def run(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], S]:
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        drive, start = self._drive(x), self._start(x.shape[0], state)
        with without_autocast(x.device):
            y, end = run_reads(self.advance, start, drive, mask)
        return y.to(self.reference_parameter.dtype), end

    def run_step(self, x: StepInput, state: S | None) -> tuple[Float[Tensor, "batch hidden"], S]:
        drive, start = self._drive(x), self._start(x.shape[0], state)
        with without_autocast(x.device):
            y, after = self.advance(drive, start)
        return y.to(self.reference_parameter.dtype), after

    def run_trace(self, x: Input, state: S | None, steps: tuple[int, ...]) -> Trace:
        state = self._start(x.shape[0], state)
        outputs, memories = list[Tensor](), [_memory(state)[:, None][:, :0]]
        for t, x_t in enumerate(x.unbind(1)):
            y, state = self.run_step(x_t, state)
            outputs.append(y)
            if t in steps:
                memories.append(_memory(state)[:, None])
        y = torch.stack(outputs, 1)
        return Trace(y, y, None, torch.cat(memories, 1), steps, state)

    def split(
        self, x: Float[Tensor, "batch features"], sizes: list[int]
    ) -> tuple[Float[Tensor, "batch heads _"], ...]:
        """Split features in parts, of so many features a head, and those by heads."""
        parts = x.split([self.heads * size for size in sizes], -1)
        return tuple(part.unflatten(1, (self.heads, -1)) for part in parts)

    def _drive(self, x: Input | StepInput) -> Tensor:
        return project(self.input, x).to(self.state_dtype)

    def _start(self, batch: int, state: S | None) -> S:
        return self.initial_state(batch) if state is None else states.to(state, self.state_dtype)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, heads={self.heads}"


def _memory(state: tuple[object, ...]) -> Float[Tensor, "batch heads key value"]:
    return cast("MatrixState", state).memory


def retrieved(
    memory: Float[Tensor, "batch heads key value"], key: Float[Tensor, "batch heads key"]
) -> Float[Tensor, "batch heads value"]:
    """Return what a memory has under a key.

    Example:
        >>> retrieved(torch.eye(2)[None, None], torch.tensor([[[3.0, 4.0]]])).tolist()
        [[[3.0, 4.0]]]
    """
    return (key[:, :, None] @ memory)[:, :, 0]


def outer(
    key: Float[Tensor, "batch heads key"], value: Float[Tensor, "batch heads value"]
) -> Float[Tensor, "batch heads key value"]:
    """Return what a write of a value under a key adds to a memory.

    Example:
        >>> outer(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0]]])).tolist()
        [[[[3.0], [6.0]]]]
    """
    return key[:, :, :, None] * value[:, :, None]
