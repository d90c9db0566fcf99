"""Made stories as files in the release's layout, for our own reader and for other programs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastweights.data import babi, babi_files
from fastweights.errors import UserError, check_at_least
from fastweights.io.atomic import (
    clear_temporaries,
    open_atomically,
    oserror_as_user_error,
    remove,
    temporary_name,
)
from fastweights.io.cache import expanded
from fastweights.tasks.babi.story import Options, make

_TRAIN = {**dict.fromkeys((4, 16, 19), 9000), 15: 2250, 17: 1125, 18: 1781, 20: 840}
_OTHERS = {**dict.fromkeys((4, 16, 19), 1000), 15: 250, 17: 125, 18: 199, 20: 93}
RELEASED = {
    "train": {task: _TRAIN.get(task, 1800) for task in babi.ALL_TASKS},
    "valid": {task: _OTHERS.get(task, 200) for task in babi.ALL_TASKS} | {18: 197},
    "test": {task: _OTHERS.get(task, 200) for task in babi.ALL_TASKS},
}
"""Stories of each task in the release's `en-valid-10k`, by split."""

_CHUNK = 200
"""Stories made at a time."""

_ABOUT = """\
Stories made by fastweights by the rules of bAbI v1.2; not the release.
fastweights data make babi {words}
bAbI: Weston et al. 2015, arXiv 1502.05698, CC BY 3.0.
"""


class Made(NamedTuple):
    """What was written.

    Attributes:
        path: the folder.
        stories: by split.
        questions: by split.
        checksum: SHA-256 of all files, one after the other.
    """

    path: Path
    stories: dict[str, int]
    questions: dict[str, int]
    checksum: str


class _Chunk(NamedTuple):
    """Stories to make: those of a file from one number to before another."""

    split: str
    task: int
    begin: int
    end: int


def counts(stories: int | None, tasks: Sequence[int]) -> dict[str, dict[int, int]]:
    """Return how many stories each file has, by split and task.

    Args:
        stories: train stories of each task; the other splits have what the release has, but no more than that. None:
            all as the release.
        tasks: of the 20.

    Example:
        >>> counts(100, [20])
        {'train': {20: 100}, 'valid': {20: 93}, 'test': {20: 93}}
    """
    if stories is None:
        return {split: {task: by[task] for task in tasks} for split, by in RELEASED.items()}
    least = {
        split: {task: min(by[task], stories) for task in tasks} for split, by in RELEASED.items()
    }
    return {**least, "train": dict.fromkeys(tasks, stories)}


def write(
    out: Path,
    *,
    stories: int | None = None,
    seed: int = 0,
    tasks: Sequence[int] = babi.ALL_TASKS,
    options: Options | None = None,
    jobs: int = 1,
    about: str = "",
    progress: Callable[[int], None] = lambda done: None,
) -> Made:
    """Write made stories into a new folder, whole or not at all; the same for the same arguments, however many jobs.

    Args:
        out: the folder, which must not exist or be empty.
        stories: as `counts` has it.
        seed: of the stories.
        tasks: of the 20.
        options: what stories are made with; None: as the release.
        jobs: processes.
        about: what was asked for, for the page beside the stories.
        progress: called with how many stories are made.

    Raises:
        UserError: for an unknown task, less than one story or job, or if the folder holds something.
    """
    chosen, options = sorted(set(tasks)), options or Options()
    options.check(chosen)
    if not chosen:
        raise UserError("no tasks are named; accepted: 1 to 20")
    check_at_least(1, stories=stories, jobs=jobs)
    out = expanded(out)
    _check_free(out)
    sizes = counts(stories, chosen)
    chunks = [
        _Chunk(split, task, begin, min(begin + _CHUNK, count))
        for split, by in sizes.items()
        for task, count in by.items()
        for begin in range(0, count, _CHUNK)
    ]
    made = functools.partial(_text, seed, options)
    temporary = temporary_name(out)
    with oserror_as_user_error("write", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        clear_temporaries(out.parent, out.name)
        try:
            with _mapped(made, chunks, jobs) as texts:
                digest, questions = _write(temporary, chunks, texts, progress)
            with open_atomically(temporary / "README.txt") as file:
                file.write(_ABOUT.format(words=about).encode())
            if out.exists():
                out.rmdir()
            temporary.rename(out)
        except BaseException:
            remove(temporary)
            raise
    return Made(out, {split: sum(by.values()) for split, by in sizes.items()}, questions, digest)


def _check_free(out: Path) -> None:
    if out.is_dir() and any((out / folder).exists() for folder in babi_files.FOLDERS.values()):
        raise UserError(f"{out} holds a release already; name a new folder with --out")
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise UserError(f"{out} exists already; name a new folder with --out")


def _text(seed: int, options: Options, chunk: _Chunk) -> str:
    numbers = range(chunk.begin, chunk.end)
    return "".join(make(chunk.task, n, seed, chunk.split, options).text() for n in numbers)


@contextlib.contextmanager
def _mapped(
    made: Callable[[_Chunk], str], chunks: Sequence[_Chunk], jobs: int
) -> Iterator[Iterable[str]]:
    """Map in so many processes, in order."""
    if jobs == 1:
        yield map(made, chunks)
        return
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield pool.imap(made, chunks)


def _write(
    folder: Path, chunks: Sequence[_Chunk], texts: Iterable[str], progress: Callable[[int], None]
) -> tuple[str, dict[str, int]]:
    """Write the files and return their checksum and how many questions each split has."""
    digest, questions, done = hashlib.sha256(), dict.fromkeys(RELEASED, 0), 0
    stories = folder / babi_files.FOLDERS["10k"]
    stories.mkdir(parents=True)
    for chunk, text in zip(chunks, texts, strict=True):
        with (stories / f"qa{chunk.task}_{chunk.split}.txt").open("ab") as file:
            file.write(text.encode())
        digest.update(text.encode())
        questions[chunk.split] += text.count("?")
        done += chunk.end - chunk.begin
        progress(done)
    return digest.hexdigest(), questions
