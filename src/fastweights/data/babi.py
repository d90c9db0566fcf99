"""bAbI v1.2 (Weston et al. 2015, arXiv 1502.05698): its stories as lines of words, by split and task."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from fastweights.data.babi_files import (
    ADVICE,
    FOLDERS,
    PART,
    SPLITS,
    Source,
    git_digest,
    published_digests,
)
from fastweights.errors import UserError, check_choice
from fastweights.io.showing import shown

TASK_NAMES = {
    1: "single supporting fact",
    2: "two supporting facts",
    3: "three supporting facts",
    4: "two argument relations",
    5: "three argument relations",
    6: "yes/no questions",
    7: "counting",
    8: "lists/sets",
    9: "simple negation",
    10: "indefinite knowledge",
    11: "basic coreference",
    12: "conjunction",
    13: "compound coreference",
    14: "time reasoning",
    15: "basic deduction",
    16: "basic induction",
    17: "positional reasoning",
    18: "size reasoning",
    19: "path finding",
    20: "agent's motivations",
}
"""What the paper calls its tasks (section 3)."""

ALL_TASKS = tuple(TASK_NAMES)

WHOLE_TASK_3 = 1800
"""Stories of task 3's train file in `en-valid-10k`."""

_LINE = re.compile(r"(\d+) ([^\t]*[^\t ]) *(?:\t([^\t]*[^\t ])\t[\d ]*)?")


class Release(NamedTuple):
    """Stories of one size.

    Attributes:
        stories: {"train"|"valid"|"test": {task: stories}}, each story its words joined by spaces: lower case, "." and
            "?" words of their own, the answer right after its "?" as one word ("n,w"), without supporting facts.
        published: whether every file is the release's own, by its checksum.
        partial: whether task 3's train stories are only the first 185 of 1,800.
    """

    stories: dict[str, dict[int, tuple[str, ...]]]
    published: bool
    partial: bool


def file_names(size: str, tasks: Sequence[int]) -> list[str]:
    """List the release's files of these tasks, and the part that may stand in for one of them.

    Raises:
        UserError: for another size.

    Example:
        >>> file_names("1k", [6])
        ['en-valid/qa6_train.txt', 'en-valid/qa6_valid.txt', 'en-valid/qa6_test.txt']
    """
    check_choice("size", size, FOLDERS)
    names = [f"{FOLDERS[size]}/qa{task}_{split}.txt" for task in tasks for split in SPLITS]
    return [*names, PART] if size == "10k" and 3 in tasks else names


def read(source: Source, size: str = "10k", tasks: Sequence[int] = ALL_TASKS) -> Release:
    """Read and check the stories of a source, in the size "10k" or "1k".

    Files of one's own in the release's form are taken too; files of which some are the release's and some are not
    are refused, since those are damaged ones.

    Raises:
        UserError: naming the file that is missing or damaged, with what to do.
    """
    names = file_names(size, tasks)
    files = source.read(names)
    whole = f"{FOLDERS[size]}/qa3_train.txt"
    partial = PART in files and whole not in files
    if PART in names:
        names.remove(whole if partial else PART)
    _check_all_there(source, names, files, size)
    published = _check_digests(source, {name: files[name] for name in names})
    stories: dict[str, dict[int, tuple[str, ...]]] = {split: {} for split in SPLITS}
    with shown("bAbI", "files", len(tasks) * len(SPLITS)) as on_progress:
        for done, (task, split) in enumerate(itertools.product(tasks, SPLITS)):
            on_progress(done)
            name = f"{FOLDERS[size]}/qa{task}_{split}.txt"
            name = PART if partial and name == whole else name
            stories[split][task] = parse(files[name], f"{source.path}: {name}")
    return Release(stories, published, partial)


def parse(content: bytes, name: str) -> tuple[str, ...]:
    r"""Turn a file into stories.

    Args:
        content: numbered lines; a story begins at number 1; a question's line has its answer and the numbers of the
            supporting facts after tabs.
        name: of the file, for the message.

    Raises:
        UserError: naming the first line that has not this form.

    Example:
        >>> parse(b"1 Mary went home.\n2 Where is Mary? \thome\t1\n", "example")
        ('mary went home . where is mary ? home',)
    """
    stories: list[list[str]] = []
    for place, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is not None and match[1] == "1":
            stories.append([])
        if match is None or not stories or int(match[1]) != len(stories[-1]) + 1:
            raise UserError(f"{name}, line {place} is no line of a bAbI story: {line[:60]!r}")
        text = match[2].lower().replace(".", " .").replace("?", " ?")
        if (match[3] is None) == text.endswith("?"):
            raise UserError(f"{name}, line {place}: a question and its answer come together")
        stories[-1].append(text if match[3] is None else f"{text} {match[3].lower()}")
    if not stories:
        raise UserError(f"{name} holds no story")
    return tuple(map(" ".join, stories))


def _check_all_there(
    source: Source, names: Collection[str], files: Collection[str], size: str
) -> None:
    missing = [name for name in names if name not in files]
    if len(missing) == len(names):
        raise UserError(
            f"{source.path} has no stories of these tasks in {FOLDERS[size]}: is it bAbI v1.2? {ADVICE}"
        )
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        task = re.search(r"qa(\d+)_", missing[0])
        raise UserError(
            f"{source.path} lacks {missing[0]}{others}; {ADVICE}, or leave task"
            f" {task[1] if task else ''} out with --tasks"
        )


def _check_digests(source: Source, files: dict[str, bytes]) -> bool:
    """Check whether all files are the release's; refuse a mixture."""
    known = published_digests()
    foreign = [name for name, content in files.items() if git_digest(content) != known[name]]
    if foreign and len(foreign) < len(files):
        raise UserError(
            f"{source.path}: {foreign[0]} is damaged or of another release (its checksum is not v1.2's);"
            f" {ADVICE}, or leave its task out with --tasks"
        )
    return not foreign
