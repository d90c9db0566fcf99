"""Training batches: fresh for ever, or a fixed set in shuffled epochs; either can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.training.engine import distributed

BATCHES_A_BLOCK = 64


@runtime_checkable
class Task(Protocol):
    """A classification task: what `fastweights.tasks` offers of it."""

    def inputs(self, examples: Any, /) -> Tensor:
        """Give what a model reads of examples: classes [count, time] or vectors [count, time, features]."""
        ...

    def metrics(self, logits: Any, examples: Any, /) -> Mapping[str, Any]:
        """Score the logits [count, classes] of the examples."""
        ...


@runtime_checkable
class Sampled(Task, Protocol):
    """A task that draws its examples."""

    def sample(self, count: int, generator: torch.Generator) -> Any:
        """Draw `count` examples: a named tuple of tensors, `answer` among them."""
        ...


@runtime_checkable
class Divided(Task, Protocol):
    """A task on a data set that is divided for good."""

    def split(self, name: str) -> Any:
        """Give the examples of "train", "valid" or "test": a named tuple of tensors, `answer` among them."""
        ...


class Stage(NamedTuple):
    """From `step` (from 0) on, train on `task`."""

    step: int
    task: Sampled


Draw = Callable[[int, torch.Generator], Any]


class Batches:
    """An endless stream of batches, drawn a block at a time: next to nothing a step.

    Args:
        draw: maps (step, generator) to the examples of the next block; how many batches they make
            is up to it.
        size: examples in a batch, of which each of several processes gets its share; what is left of a
            block beyond whole batches is dropped.
        generator: what `draw` takes its random numbers from.
        device: where the batches go.
    """

    def __init__(
        self, draw: Draw, size: int, generator: torch.Generator, device: str | torch.device = "cpu"
    ) -> None:
        self.draw = draw
        self.size = size
        self.generator = generator
        self.device = torch.device(device)
        self._step = 0
        self._begin_block()

    def __next__(self) -> Any:
        batch = next(self._block, None)
        if batch is None:
            self._begin_block()
            batch = next(self._block)
        self._step += 1
        return batch

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Give what `restore` needs: the generator at the block's start, the place in the block."""
        place = {"step": self._step, "block_start": self._block_start}
        return {"generator": self._generator_before}, place

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave; the block is drawn again."""
        self.generator.set_state(tensors["generator"])
        self._step = meta["block_start"]
        self._begin_block()
        for _ in range(meta["step"] - meta["block_start"]):
            next(self)

    def _begin_block(self) -> None:
        self._block_start = self._step
        self._generator_before = self.generator.get_state()
        self._block = self._split(self.draw(self._step, self.generator))

    def _split(self, examples: Any) -> Iterator[Any]:
        batches, own = len(examples[0]) // self.size, distributed.share(self.size)
        fields = [
            field[: batches * self.size]
            .unflatten(0, (batches, self.size))[:, own.start : own.stop]
            .to(self.device)
            .unbind()
            for field in examples
        ]
        return map(type(examples), *fields)


def fresh(stages: Sequence[Stage], size: int) -> Draw:
    """Draw new examples for ever, from the task of the stage that a step is in.

    Args:
        stages: in the order of their steps; the first begins at step 0.
        size: examples in a batch.

    Raises:
        UserError: if the stages do not begin at 0 or do not follow each other.
    """
    starts = [stage.step for stage in stages]
    if not starts or starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
        raise UserError(f"the steps at which stages begin must rise from 0, not {starts}")

    def draw(step: int, generator: torch.Generator) -> Any:
        current = max(index for index, start in enumerate(starts) if start <= step)
        batches = BATCHES_A_BLOCK
        if current + 1 < len(stages):
            batches = min(batches, starts[current + 1] - step)
        return stages[current].task.sample(batches * size, generator)

    return draw


def first(examples: Any, count: int | None) -> Any:
    """Take the first `count` of examples, a named tuple of tensors; None takes all."""
    return type(examples)(*(field[:count] for field in examples))


def epochs(examples: Any, size: int) -> Draw:
    """Draw a fixed set of examples epoch by epoch, in a new random order each time.

    Args:
        examples: a named tuple of tensors.
        size: examples in a batch; the incomplete last batch of an epoch is dropped.

    Raises:
        UserError: if there are fewer examples than one batch holds.
    """
    count = len(examples[0])
    if count < size:
        raise UserError(f"{count} training examples do not fill a batch of {size}")

    def draw(_step: int, generator: torch.Generator) -> Any:
        order = torch.randperm(count, generator=generator)
        return type(examples)(*(field[order] for field in examples))

    return draw
