"""`fastweights generate RUN "prompt"`: a language model goes on with a text."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from fastweights.cli.console import print_json, read_stdin, show
from fastweights.cli.encoding import as_typed
from fastweights.errors import UserError


@dataclass(frozen=True)
class Generate:
    """Go on with a text, word by word, each printed as it comes; memory and time per word do not grow.

    The run needs no data: it knows its words. The same seed gives the same words.
    """

    folder: tyro.conf.Positional[Path]
    """Folder of a run of `train text`."""
    prompt: tyro.conf.Positional[str | None] = None
    """What to go on with; none: read from standard input."""
    words: int = 100
    """How many words (or pieces, for a run on pieces)."""
    temperature: float = 1.0
    """Below 1 the likelier words come more often, above 1 less; 0 takes the likeliest."""
    top_k: int | None = None
    """Draw among so many likeliest words. [default: all]"""
    top_p: float | None = None
    """Draw among the fewest likeliest words that have this probability together. [default: all]"""
    seed: int = 0
    """Seed of the draws."""
    json: bool = False
    """Print the text as one JSON object, when it is whole."""

    def run(self) -> int:
        from fastweights.experiments import registry
        from fastweights.experiments.text.report import unknown_words
        from fastweights.experiments.text.writing import write

        if registry.of_run(self.folder).name != "text":
            raise UserError(f"{self.folder} is no run of `train text`: it goes on with no text")
        prompt = (_piped() if self.prompt is None else as_typed(self.prompt)).strip()
        drawing = {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "seed": self.seed,
        }
        writing = write(self.folder, prompt, self.words, **drawing)
        show(unknown_words(writing.unknown))
        if self.json:
            added = "".join(writing.pieces)
            about = {"out": str(self.folder), "prompt": prompt, "words": self.words, **drawing}
            print_json({**about, "unknown": writing.unknown, "text": prompt + added})
            return 0
        try:
            print(prompt, end="", flush=True)
            for piece in writing.pieces:
                print(piece, end="", flush=True)
        finally:
            print()
        return 0


def _piped() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError('no prompt given: add one ("the company said") or pipe it in')
    return read_stdin()
