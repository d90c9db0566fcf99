"""bAbI stories as token arrays, kept in the cache folder so that the text is parsed once."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int16
from numpy import ndarray

from fastweights.data import babi
from fastweights.errors import UserError
from fastweights.io.atomic import open_atomically
from fastweights.io.cache import made_root
from fastweights.tasks import renaming

PAD, EOS = 0, 1
SPECIAL = ("<pad>", "<eos>")
"""What the vocabulary begins with."""

_FORM = 1
"""Changes whenever the same text gives other arrays, so that no older ones are taken from the cache."""


@dataclass(frozen=True)
class Stories:
    """All stories of some tasks, in the release's order.

    Attributes:
        vocabulary: words in the order of their tokens: `SPECIAL`, then the sorted words of these tasks.
        tokens: the stories one after the other, each with <eos> in front of it; one more <eos> at the end.
        starts: where each story's <eos> stands.
        tasks: of each story, 1 to 20.
        splits: of each story, the place of its split in `babi.SPLITS`.
        published: whether the files are the release's own.
        partial: whether only a part of task 3's train stories is there.
    """

    vocabulary: tuple[str, ...]
    tokens: Int16[ndarray, " all"]
    starts: Int[ndarray, " stories"]
    tasks: Int16[ndarray, " stories"]
    splits: Int16[ndarray, " stories"]
    published: bool
    partial: bool


def load(source: babi.Source, size: str, tasks: Sequence[int]) -> Stories:
    """Load stories from the cache, or read them and leave them there if it can be written to.

    Raises:
        UserError: if a file is missing or damaged.
    """
    asked = json.dumps([_FORM, source.digest(babi.file_names(size, tasks)), size, list(tasks)])
    return kept(size, asked, lambda: from_release(babi.read(source, size, tasks)))


def kept(kind: str, asked: str, build: Callable[[], Stories]) -> Stories:
    """Load stories from the cache, or build them and leave them there if it can be written to.

    The file is named by a kind and by all that was asked, which decides the stories.
    """
    name = hashlib.sha256(asked.encode()).hexdigest()[:16]
    path = None
    with contextlib.suppress(UserError):  # a user without a home
        path = made_root() / f"babi-{kind}-{name}.safetensors"
    stories = _cached(path) if path else None
    if stories is None:
        stories = build()
        with contextlib.suppress(OSError):
            if path is None:
                return stories
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_atomically(path) as file:
                file.write(_packed(stories))
    return stories


def from_release(release: babi.Release) -> Stories:
    """Encode the words of a release as tokens."""
    text = {
        (split, task): f"{SPECIAL[EOS]} " + f" {SPECIAL[EOS]} ".join(stories)
        for split, by_task in release.stories.items()
        for task, stories in by_task.items()
    }
    words: set[str] = set()
    for task in release.stories[babi.SPLITS[0]]:
        own = set().union(*(text[split, task].split() for split in babi.SPLITS))
        words |= renaming.reachable(task, own - set(SPECIAL))
    vocabulary = (*SPECIAL, *sorted(words))
    index = {word: token for token, word in enumerate(vocabulary)}
    parts = [
        np.fromiter(map(index.__getitem__, story.split()), np.int16) for story in text.values()
    ]
    stories = [np.count_nonzero(part == EOS) for part in parts]
    tokens = np.concatenate([*parts, np.array([EOS], np.int16)])
    return Stories(
        vocabulary,
        tokens,
        np.flatnonzero(tokens[:-1] == EOS),
        np.repeat(np.array([task for _, task in text], np.int16), stories),
        np.repeat(np.array([babi.SPLITS.index(s) for s, _ in text], np.int16), stories),
        release.published,
        release.partial,
    )


def reencoded(stories: Stories, vocabulary: Sequence[str]) -> Stories:
    """Encode stories with the tokens of another vocabulary.

    Raises:
        UserError: naming a word of the stories that it lacks.
    """
    index = {word: token for token, word in enumerate(vocabulary)}
    lacking = [stories.vocabulary[t] for t in np.unique(stories.tokens).tolist()]
    lacking = [word for word in lacking if word not in index]
    if lacking:
        raise UserError(f"the stories have words that are not known: {', '.join(lacking[:3])}")
    to = np.array([index.get(word, PAD) for word in stories.vocabulary], np.int16)
    return replace(stories, vocabulary=tuple(vocabulary), tokens=to[stories.tokens])


_ARRAYS = ("tokens", "starts", "tasks", "splits")


def _packed(stories: Stories) -> bytes:
    from safetensors.numpy import save

    facts = json.dumps([stories.vocabulary, stories.published, stories.partial])
    arrays = {name: getattr(stories, name) for name in _ARRAYS}
    return save(arrays, metadata={"facts": facts, "sha256": _digest(facts, arrays)})


def _digest(facts: str, arrays: Mapping[str, ndarray]) -> str:
    """Compute the checksum of what is kept: a bit that flipped would be another story."""
    digest = hashlib.sha256(facts.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _cached(path: Path) -> Stories | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata()
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        if metadata["sha256"] != _digest(metadata["facts"], arrays):
            return None
        vocabulary, published, partial = json.loads(metadata["facts"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return Stories(tuple(vocabulary), **arrays, published=published, partial=partial)
