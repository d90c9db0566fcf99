"""Endless streams of shuffled stories, a row of a batch each, and stories cut into segments in a fixed order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from numpy import ndarray
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.checks import check_int
from fastweights.tasks.renaming import Renaming
from fastweights.tasks.shuffle import mix, permute
from fastweights.tasks.stories import PAD, Stories


class Segment(NamedTuple):
    """A stretch of every row's stream: each story comes with <eos> before it in the input and after it in the target.

    Attributes:
        tokens: [rows, length], the input.
        targets: [rows, length], the token after each.
        tasks: [rows, length], the number of the task that each target belongs to; 0 outside the mask.
        answers: [rows, length], True where the target is an answer (so the input is "?").
        mask: [rows, length], False past the end of a row's stories, where tokens and targets are <pad>.
    """

    tokens: Int[Tensor, "rows length"]
    targets: Int[Tensor, "rows length"]
    tasks: Int[Tensor, "rows length"]
    answers: Bool[Tensor, "rows length"]
    mask: Bool[Tensor, "rows length"]


class Draws(NamedTuple):
    """Counts of an epoch.

    Attributes:
        stories: [draws], places in the stories' arrays; a story may come several times.
        renamed: [draws], whether that draw of it is renamed.
    """

    stories: Int[ndarray, " draws"]
    renamed: Bool[ndarray, " draws"]


class Positions:
    """Where the stream of each row stands: an epoch, a place in it, an offset in the story there."""

    def __init__(self, rows: int) -> None:
        check_int("the number of rows", rows, 1)
        self._epoch, self._place, self._offset = np.zeros((3, rows), np.int64)

    def state(self) -> dict[str, Tensor]:
        """Return all that exact resume needs: each row's epoch, place in it and offset in the story there."""
        names = ("epoch", "place", "offset")
        return {name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in names}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load a state.

        Raises:
            UserError: if it has another number of rows.
        """
        for name in ("epoch", "place", "offset"):
            if len(tensors[name]) != len(self._epoch):
                raise UserError(
                    f"the state is of {len(tensors[name])} streams, these are {len(self._epoch)}"
                )
            setattr(self, f"_{name}", tensors[name].numpy().copy())


class Streams(Positions):
    """Endless streams of shuffled stories; an epoch's end in one row goes on into that row's next epoch.

    Row r's order in epoch e, and the renaming of each story in it, are functions of (seed, r, e, place in the order):
    rows do not depend on how many there are, and three integers a row are all of the state.

    Args:
        stories: what is drawn from.
        draws: an epoch.
        renaming: of the stories' vocabulary.
        rows: how many.
        seed: any integer.
        first_row: number of the first one; a process that trains a share of a batch's rows begins where the last ended.
    """

    def __init__(
        self,
        stories: Stories,
        draws: Draws,
        renaming: Renaming,
        rows: int,
        *,
        seed: int = 0,
        first_row: int = 0,
    ) -> None:
        super().__init__(rows)
        self._stories, self._draws, self._renaming, self._seed = stories, draws, renaming, seed
        self._lengths = np.diff(stories.starts, append=len(stories.tokens) - 1)
        self._shortest = int(self._lengths[draws.stories].min())
        self._question = stories.vocabulary.index("?")
        self._rows = np.arange(first_row, first_row + rows)[:, None]

    def next(self, length: int) -> Segment:
        """Return the next `length` tokens of every row, 1 or more: a segment on the CPU whose mask is all True."""
        if length < 1:
            raise UserError(f"a segment has at least 1 token, not {length}")
        # No more stories than these can begin in the segment, the one under way and the one after it included.
        ahead = np.arange(2 + (length - 1) // self._shortest)
        epoch, place = np.divmod(self._place[:, None] + ahead, len(self._draws.stories))
        order = mix(self._seed, self._rows, epoch + self._epoch[:, None])
        draw = permute(place, len(self._draws.stories), order)
        story = self._draws.stories[draw]
        ends = np.cumsum(self._lengths[story], 1) - self._offset[:, None]
        begins = ends - self._lengths[story]

        inside = np.clip(ends, 0, length) - np.clip(begins, 0, length)
        which = np.repeat(np.arange(story.size), inside.ravel()).reshape(len(story), length)
        at = (self._stories.starts[story] - begins).ravel()[which] + np.arange(length)
        tokens, targets = self._stories.tokens[at], self._stories.tokens[at + 1]
        tasks = self._stories.tasks[story]
        renamed = self._draws.renamed[draw]
        if renamed.any():
            chosen = self._renaming.choose(tasks, renamed, mix(order, place))
            chosen = chosen.reshape(len(chosen), -1)[:, which]
            tokens = self._renaming.apply(tokens, chosen)
            targets = self._renaming.apply(targets, chosen)

        passed = (ends <= length).sum(1)
        self._offset = length - np.take_along_axis(begins, passed[:, None], 1)[:, 0]
        self._epoch = self._epoch + (self._place + passed) // len(self._draws.stories)
        self._place = (self._place + passed) % len(self._draws.stories)
        everywhere = np.ones(tokens.shape, bool)
        return segment(tokens, targets, tasks.ravel()[which], everywhere, self._question)


def segments(
    stories: Stories, order: Int[ndarray, " chosen"], rows: int, length: int
) -> list[Segment]:
    """Cut stories, in the given order, into segments that hold each of their tokens once.

    Every row reads a run of whole stories; the runs are about equally long.

    Args:
        stories: all of them.
        order: which, and in what order.
        rows: 1 or more; with 1 the stories are one stream.
        length: tokens of a segment; the last one may be shorter.
    """
    if rows < 1 or length < 1:
        raise UserError(f"rows and length must be at least 1, not {rows} and {length}")
    lengths = np.diff(stories.starts, append=len(stories.tokens) - 1)[order]
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    place = np.arange(total)
    story = np.repeat(order, lengths)
    at = stories.starts[story] + place - np.repeat(ends - lengths, lengths)
    # A row's run begins with the first story that begins at or after its share of the whole.
    cuts = np.searchsorted(ends - lengths, np.arange(rows + 1) * total / rows)
    cuts = np.append(ends - lengths, total)[cuts]
    row = np.repeat(np.arange(rows), np.diff(cuts))
    column = place - cuts[:-1][row]
    shape = (rows, int(np.diff(cuts).max()))

    def spread(values: Shaped[ndarray, " total"], rest: int) -> Shaped[ndarray, "rows width"]:
        padded = np.full(shape, rest, values.dtype)
        padded[row, column] = values
        return padded

    whole = (
        spread(stories.tokens[at], PAD),
        spread(stories.tokens[at + 1], PAD),
        spread(stories.tasks[story], 0),
        spread(np.ones(total, bool), False),
    )
    question = stories.vocabulary.index("?")
    return [
        segment(*(values[:, i : i + length] for values in whole), question=question)
        for i in range(0, shape[1], length)
    ]


def segment(
    tokens: Int[ndarray, "rows length"],
    targets: Int[ndarray, "rows length"],
    tasks: Int[ndarray, "rows length"],
    mask: Bool[ndarray, "rows length"],
    question: int,
) -> Segment:
    """Build a segment from arrays; `question` is the token of "?"."""
    words, following, numbers = (
        torch.from_numpy(values.astype(np.int64)) for values in (tokens, targets, tasks)
    )
    answers = torch.from_numpy(tokens == question)
    return Segment(words, following, numbers, answers, torch.from_numpy(mask.copy()))
