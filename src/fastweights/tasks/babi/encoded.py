"""Made stories as tokens: the validation and test stories, and a story of the endless train split."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int16
from numpy import ndarray

from fastweights.data import babi
from fastweights.io.showing import shown
from fastweights.tasks.babi.files import RELEASED
from fastweights.tasks.babi.story import RULES, Options, Story, make
from fastweights.tasks.babi.words import VOCABULARY
from fastweights.tasks.stories import EOS, SPECIAL, Stories, kept

ALL_WORDS = (*SPECIAL, *VOCABULARY)
"""The vocabulary of made stories: that of the whole release, whatever the tasks."""

SEED = 0
"""Of the validation and test stories: those of `fastweights data make babi`."""


class Encoder:
    """Turns stories into tokens; a sentence is looked up word by word once.

    Args:
        vocabulary: words in the order of their tokens.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._index = {word: np.int16(token).tobytes() for token, word in enumerate(vocabulary)}
        self._known: dict[str, bytes] = {}

    def encode(self, story: Story) -> Int16[ndarray, " time"]:
        """Return a story's tokens with <eos> in front of it."""
        parts = [self._index[SPECIAL[EOS]]]
        known = self._known
        for words, answer, _ in story.lines:
            tokens = known.get(words)
            if tokens is None:
                tokens = b"".join(map(self._index.__getitem__, words.split()))
                known[words] = tokens
            parts.append(tokens)
            if answer is not None:
                parts.append(self._index[answer])
        return np.frombuffer(b"".join(parts), np.int16)


def held(tasks: Sequence[int], options: Options) -> Stories:
    """Load the validation and test stories, as many as the release has, from the cache; or make them.

    Args:
        tasks: of the 20.
        options: what stories are made with, checked.
    """
    sizes = [(split, task, RELEASED[split][task]) for split in ("valid", "test") for task in tasks]
    asked = json.dumps([RULES, SEED, sizes, dataclasses.astuple(options)])
    return kept("made", asked, lambda: _made(sizes, options))


def _made(sizes: Sequence[tuple[str, int, int]], options: Options) -> Stories:
    encoder = Encoder(ALL_WORDS)
    parts: list[Int16[ndarray, " time"]] = []
    total = sum(count for _, _, count in sizes)
    with shown("validation and test stories", "stories", total) as on_progress:
        for split, task, count in sizes:
            for number in range(count):
                parts.append(encoder.encode(make(task, number, SEED, split, options)))
                on_progress(len(parts))
    lengths = [len(part) for part in parts]
    counts = [count for _, _, count in sizes]
    return Stories(
        ALL_WORDS,
        np.concatenate([*parts, np.array([EOS], np.int16)]),
        np.cumsum([0, *lengths[:-1]]),
        np.repeat(np.array([task for _, task, _ in sizes], np.int16), counts),
        np.repeat(np.array([babi.SPLITS.index(split) for split, _, _ in sizes], np.int16), counts),
        published=False,
        partial=False,
    )
