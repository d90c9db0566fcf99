"""A small text with sentences made here: for tests that need no data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SUBJECTS = ("the cat", "a dog", "the old man", "my sister", "the <unk>", "nobody")
VERBS = ("sees", "likes", "follows", "finds", "hears")
OBJECTS = ("the bird", "a fish", "the river", "N dollars", "the market", "her brother")
ENDS = ("today", "in the morning", "again", "at last")


def make_text(
    folder: Path, lines: tuple[int, int, int] = (200, 30, 30), *, seed: int = 0
) -> tuple[str, str, str]:
    """Write train.txt, valid.txt and test.txt with so many sentences, and return their paths."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    paths = [folder / f"{split}.txt" for split in ("train", "valid", "test")]
    for path, count in zip(paths, lines, strict=True):
        path.write_text("".join(f" {sentence(random)} \n" for _ in range(count)), encoding="utf-8")
    train, valid, test = map(str, paths)
    return train, valid, test


def sentence(random: np.random.Generator) -> str:
    """Draw a sentence; nobody does anything at last, so that there is something to remember."""
    subject = random.choice(SUBJECTS)
    ends = ENDS[:-1] if subject == "nobody" else ENDS
    return f"{subject} {random.choice(VERBS)} {random.choice(OBJECTS)} {random.choice(ends)}"
