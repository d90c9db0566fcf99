"""Concatenated bAbI: stories of 20 reasoning tasks as one endless sequence of words, with questions inside."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from fastweights.data import babi, babi_files
from fastweights.errors import UserError, check_at_least, check_choice
from fastweights.tasks import selection, story_text, streams
from fastweights.tasks.babi.encoded import held
from fastweights.tasks.babi.endless import Endless
from fastweights.tasks.babi.story import Options
from fastweights.tasks.babi.telling import Lengths
from fastweights.tasks.renaming import Renaming
from fastweights.tasks.score import Score
from fastweights.tasks.selection import Counts
from fastweights.tasks.stories import load, reencoded
from fastweights.tasks.streams import Segment, Streams

STORIES = ("published", "all", "generated")


class CatBAbI:
    """`… john went to the office . where is mary ? kitchen <eos> …`: bAbI's stories, one after the other, word by word.

    A model reads an endless sequence and is scored at each "?" on the answer that follows. Every row of a batch is a
    stream of its own (`streams`); validation and test stories are shuffled once, always in the same way (`segments`).

    Args:
        data_dir: the release's folder or archive, or a folder that holds it; None: where `fastweights data get babi`
            puts it.
        size: "10k", the paper's, or "1k".
        tasks: which of 1 to 20; None: all.
        stories: "published" leaves out the last story of each file, as the authors' preprocessing does; "release" is
            the same; "all". "generated": no release is read; train stories are made by its rules, as `tasks.babi.story`
            has them, and never end, the words are those of all tasks, and nothing need be renamed.
        rename: "missing": where only a part of task 3's train stories is there, copies of them, with people, places and
            things renamed, stand in for the others, and no other story is renamed; "none": no copies; "all", or numbers
            of tasks: their stories are renamed at every draw, and the missing ones stand in as well.
        repeats: how often a story of a task comes in an epoch, where not once.
        names, window, questions, people, things, subquestions: of generated stories, as `tasks.babi.story` has them.
        pool: train stories of each task that are generated, which then come again and again: what learning by heart
            comes to. None: they never end.
        pool_tasks: the tasks of which there are so few; None: all.
        vocabulary: words in the order of their tokens, those of a model that learnt from other stories; None: the
            stories' own.

    Attributes:
        vocabulary: words in the order of their tokens: <pad>, <eos>, then sorted.
        classes: tokens of the vocabulary.
        tasks: the numbers, sorted.
        counts: of each split; of train, an epoch without repeats, or none where it is endless.
        missing: {task: train stories that are not there}.
        notes: what a record of results must say about the data.

    Raises:
        UserError: if the data cannot be found or used, or for an option out of range.

    Source: Schlag et al. 2021, section 4.1 and appendix D.
    """

    name = "catbabi"

    def __init__(
        self,
        data_dir: str | Path | None = None,
        *,
        size: str = "10k",
        tasks: Sequence[int] | None = None,
        stories: str = "published",
        rename: str | Sequence[int] = "missing",
        repeats: Mapping[int, int] | Mapping[str, int] | None = None,
        names: str = "release",
        window: int | None = 5,
        questions: int | None = None,
        people: int = 4,
        things: int = 3,
        subquestions: bool = False,
        pool: int | None = None,
        pool_tasks: Sequence[int] | None = None,
        vocabulary: Sequence[str] | None = None,
    ) -> None:
        stories = "published" if stories == "release" else stories
        check_choice("choice of stories", stories, STORIES)
        self.tasks = selection.check_tasks(babi.ALL_TASKS if tasks is None else tasks)
        self._size, self._kept = size, stories
        self._repeats = selection.check_repeats(repeats or {}, self.tasks)
        self._rename = selection.check_rename(rename, self.tasks)
        self._making = Options(names, Lengths(questions, window, subquestions), people, things)
        self._pool = pool
        self._pool_tasks = (
            None
            if pool_tasks is None
            else selection.check_some(pool_tasks, self.tasks, "in a pool")
        )
        self._check_made()
        self._stories = (
            held(self.tasks, self._making)
            if self.made
            else load(babi_files.find(data_dir), size, self.tasks)
        )
        if vocabulary is not None:
            self._stories = reencoded(self._stories, vocabulary)
        self.vocabulary = self._stories.vocabulary
        self.classes = len(self.vocabulary)
        if "?" not in self.vocabulary:
            raise UserError("the stories ask nothing, so there is nothing to answer")
        last = stories != "published"
        splits = babi.SPLITS[1:] if self.made else babi.SPLITS
        self._order = {s: selection.kept(self._stories, s, last=last) for s in splits}
        self.missing = (
            {} if self.made else selection.missing(self._stories, self._order["train"], last=last)
        )
        self._copies = {} if rename == "none" else self.missing
        always = {"missing": (), "none": (), "all": self.tasks}
        self._renamed = always[self._rename] if isinstance(self._rename, str) else self._rename
        self.counts = self._counted()
        self.notes = self._noted()

    @property
    def made(self) -> bool:
        """Whether the stories are made by the rules, not read."""
        return self._kept == "generated"

    def _check_made(self) -> None:
        if self.made:
            self._making.check(self.tasks)
            check_at_least(1, pool=self._pool)
            if self._pool_tasks is not None and self._pool is None:
                raise UserError("pool_tasks are the tasks of a pool: say its size too")
            if self._rename not in ("missing", "none") or self._size != "10k":
                raise UserError(
                    "generated stories are neither renamed nor of a size: they never end"
                )
        elif self._making != Options() or (self._pool, self._pool_tasks) != (None, None):
            *others, last = self._made_with()
            raise UserError(
                f"{', '.join(others)} and {last} are of generated stories: stories='generated'"
            )

    def __repr__(self) -> str:
        options = {name: value for name, value in self.options.items() if value is not None}
        return f"CatBAbI({', '.join(f'{name}={value!r}' for name, value in options.items())})"

    @property
    def options(self) -> dict[str, object]:
        """The options, as plain values that `tasks.build` takes; where the data lie is not one of them."""
        return {
            "size": self._size,
            "tasks": None if self.tasks == babi.ALL_TASKS else list(self.tasks),
            "stories": self._kept,
            "rename": self._rename if isinstance(self._rename, str) else list(self._rename),
            "repeats": {str(task): times for task, times in self._repeats.items()} or None,
            **(self._made_with() if self.made else {}),
        }

    def _made_with(self) -> dict[str, object]:
        return {
            **self._making.arguments(),
            "pool": self._pool,
            "pool_tasks": self._pool_tasks,
        }

    def _pools(self) -> dict[int, int]:
        return (
            {} if self._pool is None else dict.fromkeys(self._pool_tasks or self.tasks, self._pool)
        )

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of the vocabulary and of the validation and test stories in their order."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for split in ("valid", "test"):
            for segment in self.segments(split, 1, 1 << 16):
                digest.update(segment.targets.numpy().astype("<i2").tobytes())
        return digest.hexdigest()[:16]

    def streams(self, rows: int, *, seed: int = 0, first_row: int = 0) -> Streams | Endless:
        """Build endless streams of shuffled train stories, or of generated ones.

        Args:
            rows: how many, 1 or more.
            seed: any integer; the same one gives the same streams.
            first_row: number of the first row, for a process that trains a share of a batch.
        """
        if self.made:
            return Endless(
                self.vocabulary,
                self.tasks,
                self._making,
                rows,
                seed=seed,
                first_row=first_row,
                repeats=self._repeats,
                pools=self._pools(),
            )
        draws = selection.epoch(
            self._stories,
            self._order["train"],
            copies=self._copies,
            renamed=self._renamed,
            repeats=self._repeats,
        )
        return Streams(self._stories, draws, self._renaming, rows, seed=seed, first_row=first_row)

    def segments(self, split: str, rows: int, length: int) -> list[Segment]:
        """Cut a split, in its fixed order, into segments that hold each of its tokens once.

        Args:
            split: "valid", "test" or, of stories that are read, "train" (its real ones, once each).
            rows: into how many streams; 1 is the exact protocol.
            length: tokens of a segment; the last one may be shorter.

        Raises:
            UserError: for another split, or rows or length below 1.
        """
        check_choice("split", split, self._order)
        return streams.segments(self._stories, self._order[split], rows, length)

    def score(self) -> Score:
        """Build a score of answers to these tasks."""
        return Score(self.tasks)

    def encode(self, text: str) -> Int[Tensor, " time"]:
        """Encode a typed story as tokens, <eos> before it; answers after a "?" are optional.

        Raises:
            UserError: naming a word outside the vocabulary and the nearest in it, or if nothing is asked.
        """
        return story_text.encode(text, self.vocabulary)

    def decode(self, tokens: Int[Tensor, " time"]) -> str:
        """Decode tokens to words."""
        return story_text.decode(tokens, self.vocabulary)

    @functools.cached_property
    def _renaming(self) -> Renaming:
        return Renaming(self.vocabulary, selection.words_by_task(self._stories))

    def _counted(self) -> dict[str, Counts]:
        """Count the splits, train with the copies. Where everything is there, the counts must be those published."""
        counts = {split: selection.count(self._stories, o) for split, o in self._order.items()}
        if self.made:
            return counts
        drawn = selection.epoch(
            self._stories, self._order["train"], copies=self._copies, renamed=(), repeats={}
        )
        counts["train"] = selection.count(self._stories, drawn.stories)
        as_published = (self._size, self._kept, self.tasks) == ("10k", "published", babi.ALL_TASKS)
        if self._stories.published and as_published:
            lacking = self.missing and not self._copies
            selection.check_published(counts, ("train",) if lacking else ())
        return counts

    def _noted(self) -> list[str]:
        notes = []
        if self.made:
            given = self._made_with().items() - Options().arguments().items()
            shown = {
                "names": self._making.names,
                "window": self._making.lengths.window,
                **dict(given),
            }
            options = ", ".join(
                f"{name} {shown[name]}" for name in self._made_with() if shown.get(name)
            )
            notes.append(f"stories made by the rules of bAbI v1.2 ({options})")
        elif not self._stories.published:
            notes.append("not the published release of bAbI v1.2")
        left_out = [str(task) for task in babi.ALL_TASKS if task not in self.tasks]
        if left_out:
            notes.append(f"tasks left out: {', '.join(left_out)}")
        for task, count in self.missing.items():
            whole = babi.WHOLE_TASK_3 - (self._kept == "published")
            stand_in = (
                "renamed copies of them stand in for the others" if self._copies else "no copies"
            )
            notes.append(f"task {task}: {whole - count} of {whole} train stories; {stand_in}")
        if self._renamed:
            notes.append(f"renamed at every draw: tasks {', '.join(map(str, self._renamed))}")
        for task, times in self._repeats.items():
            notes.append(f"task {task}: each train story {times} times in an epoch")
        return notes
