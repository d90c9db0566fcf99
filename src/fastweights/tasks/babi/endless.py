"""Endless streams of made train stories, a row of a batch each; three integers a row are all of their state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int16
from numpy import ndarray
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.babi.draws import first_draws
from fastweights.tasks.babi.encoded import Encoder
from fastweights.tasks.babi.files import RELEASED
from fastweights.tasks.babi.story import Options, key, make
from fastweights.tasks.shuffle import mix, permute
from fastweights.tasks.streams import Positions, Segment, segment

_AHEAD = 64
"""Draws of a row that are looked up at a time."""


class _Story(NamedTuple):
    """A story of a row, with its task."""

    task: int
    tokens: Int16[ndarray, " time"]


class Endless(Positions):
    """Endless streams of train stories, which never come twice but in a pool.

    An epoch is a shuffled list of tasks, as many entries as the release has stories of each. Row r's task at place p of
    epoch e, and the story's number, are functions of (seed, r, e, p): rows do not depend on how many there are.

    Args:
        vocabulary: words in the order of their tokens.
        tasks: of the 20.
        options: what stories are made with, checked.
        rows: how many.
        seed: any integer.
        first_row: number of the first row, for a process that trains a share of a batch.
        repeats: how often an epoch's entries of a task come, where not once.
        pools: how many stories of a task there are, by task, which come again and again; of the others none ever does.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        tasks: Sequence[int],
        options: Options,
        rows: int,
        *,
        seed: int = 0,
        first_row: int = 0,
        repeats: Mapping[int, int] | None = None,
        pools: Mapping[int, int] | None = None,
    ) -> None:
        super().__init__(rows)
        counts = [RELEASED["train"][task] * (repeats or {}).get(task, 1) for task in tasks]
        self._tasks = np.repeat(np.array(tasks), counts)
        self._encoder, self._options, self._seed = Encoder(vocabulary), options, seed
        endless = np.iinfo(np.uint64).max
        sizes = [(pools or {}).get(task, endless) for task in range(max(tasks) + 1)]
        self._pools = np.array(sizes, np.uint64)
        keys = [key(seed, "train", task) for task in range(max(tasks) + 1)]
        self._keys = np.array(keys, np.uint64)
        self._question = vocabulary.index("?")
        self._rows = range(first_row, first_row + rows)
        self._restart()

    def next(self, length: int) -> Segment:
        """Return the next `length` tokens of every row.

        Args:
            length: 1 or more.

        Returns:
            a segment on the CPU whose mask is all True.
        """
        if length < 1:
            raise UserError(f"a segment has at least 1 token, not {length}")
        rows = [self._read(row, length) for row in range(len(self._rows))]
        words, tasks = (np.stack(part) for part in zip(*rows, strict=True))
        everywhere = np.ones(tasks.shape, bool)
        return segment(words[:, :-1], words[:, 1:], tasks, everywhere, self._question)

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load a state, as `Positions.restore`."""
        super().restore(tensors)
        self._restart()

    def _restart(self) -> None:
        """Start each row's stories at its epoch and place."""
        self._stories = [self._made(row) for row in range(len(self._rows))]
        self._open: list[deque[_Story]] = [deque() for _ in self._rows]

    def _read(
        self, row: int, length: int
    ) -> tuple[Int16[ndarray, " more"], Int16[ndarray, " length"]]:
        """Return a row's next tokens, one more than asked for, and the task of each that is asked for."""
        stories, offset = self._open[row], int(self._offset[row])
        held = sum(len(story.tokens) for story in stories)
        while held < offset + length + 1:
            stories.append(next(self._stories[row]))
            held += len(stories[-1].tokens)
        words = np.concatenate([story.tokens for story in stories])
        lengths = [len(story.tokens) for story in stories]
        tasks = np.repeat(np.array([story.task for story in stories], np.int16), lengths)
        inside = slice(offset, offset + length)
        words, tasks = words[inside.start : inside.stop + 1], tasks[inside]
        offset += length
        while offset >= len(stories[0].tokens):
            offset -= len(stories.popleft().tokens)
            self._place[row] += 1
        self._offset[row] = offset
        self._epoch[row] += self._place[row] // len(self._tasks)
        self._place[row] %= len(self._tasks)
        return words, tasks

    def _made(self, row: int) -> Iterator[_Story]:
        """Yield a row's stories."""
        epoch, begin = int(self._epoch[row]), int(self._place[row])
        while True:
            epochs, places = np.divmod(np.arange(begin, begin + _AHEAD), len(self._tasks))
            order = mix(self._seed, self._rows[row], epochs + epoch)
            tasks = self._tasks[permute(places, len(self._tasks), order)]
            numbers = mix(order, places) % self._pools[tasks]
            draws = first_draws(self._keys[tasks], numbers, 0)
            for task, number, first in zip(tasks.tolist(), numbers.tolist(), draws, strict=True):
                told = make(task, number, self._seed, "train", self._options, first)
                yield _Story(task, self._encoder.encode(told))
            begin += _AHEAD
