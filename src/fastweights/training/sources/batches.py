"""Training batches: fresh for ever, or a fixed set in shuffled epochs; either can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.state import map_tensors, select
from fastweights.training.engine import distributed

BATCHES_PER_BLOCK = 64
"""Batches drawn at once: 128 retrieval sequences take 10 µs of such a block, 140 µs alone, 6 µs of one of 256 batches.

It decides which examples a seed gives, so that another value voids every recorded run on fresh examples."""


@runtime_checkable
class Examples(Protocol):
    """Examples of a classification task: a named tuple of tensors [count, …]."""

    @property
    def answer(self) -> Tensor:
        """The right class of each."""
        ...


E = TypeVar("E", bound=Examples)
E_in = TypeVar("E_in", bound=Examples, contravariant=True)


@runtime_checkable
class Task(Protocol[E_in]):
    """A classification task: what `fastweights.tasks` offers of it."""

    def inputs(self, examples: E_in, /) -> Tensor:
        """Return what a model reads of examples: classes [count, time] or vectors [count, time, features]."""
        ...

    def metrics(self, logits: Tensor, examples: E_in, /) -> Mapping[str, Any]:
        """Score the logits [count, classes] of the examples."""
        ...


@runtime_checkable
class Sampled(Task[E], Protocol[E]):
    """A task that draws its examples."""

    def sample(self, count: int, generator: torch.Generator) -> E:
        """Draw `count` examples."""
        ...


@runtime_checkable
class Divided(Task[E], Protocol[E]):
    """A task on a data set that is divided for good."""

    def split(self, name: str) -> E:
        """Return the examples of "train", "valid" or "test"."""
        ...


class Stage(NamedTuple):
    """From `step` (from 0) on, train on `task`."""

    step: int
    task: Sampled[Any]


Draw = Callable[[int, torch.Generator], E]


class Batches(Generic[E]):
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
        self,
        draw: Draw[E],
        size: int,
        generator: torch.Generator,
        device: str | torch.device = "cpu",
    ) -> None:
        self.draw = draw
        self.size = size
        self.generator = generator
        self.device = torch.device(device)
        self._step = 0
        self._begin_block()

    def __next__(self) -> E:
        batch = next(self._block, None)
        if batch is None:
            self._begin_block()
            batch = next(self._block)
        self._step += 1
        return batch

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what `restore` needs: the generator at the block's start, the place in the block."""
        place = {"step": self._step, "block_start": self._block_start}
        return {"generator": self._generator_before}, place

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to a state that `state` returned; the block is drawn again."""
        self.generator.set_state(tensors["generator"])
        self._step = meta["block_start"]
        self._begin_block()
        for _ in range(meta["step"] - meta["block_start"]):
            next(self)

    def _begin_block(self) -> None:
        self._block_start = self._step
        self._generator_before = self.generator.get_state()
        self._block = self._split(self.draw(self._step, self.generator))

    def _split(self, examples: E) -> Iterator[E]:
        batches, own = len(examples.answer) // self.size, distributed.share(self.size)

        def cut(field: Tensor) -> Tensor:
            rows = field[: batches * self.size].unflatten(0, (batches, self.size))
            return rows[:, own.start : own.stop].to(self.device)

        block = map_tensors(cut, examples)
        return (map_tensors(itemgetter(batch), block) for batch in range(batches))


def fresh(stages: Sequence[Stage], size: int) -> Draw[Any]:
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

    def draw(step: int, generator: torch.Generator) -> Examples:
        current = max(index for index, start in enumerate(starts) if start <= step)
        batches = BATCHES_PER_BLOCK
        if current + 1 < len(stages):
            batches = min(batches, starts[current + 1] - step)
        return stages[current].task.sample(batches * size, generator)

    return draw


def first(examples: E, count: int | None) -> E:
    """Return the first `count` of examples; None returns all."""
    return map_tensors(lambda field: field[:count], examples)


def epochs(examples: E, size: int) -> Draw[E]:
    """Draw a fixed set of examples epoch by epoch, in a new random order each time.

    Args:
        examples: the set.
        size: examples in a batch; the incomplete last batch of an epoch is dropped.

    Raises:
        UserError: if there are fewer examples than one batch holds.
    """
    count = len(examples.answer)
    if count < size:
        raise UserError(f"{count} training examples do not fill a batch of {size}")

    def draw(_step: int, generator: torch.Generator) -> E:
        order = torch.randperm(count, generator=generator, device=generator.device)
        return select(examples, order)

    return draw
