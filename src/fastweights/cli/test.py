"""`fastweights test RUN`: ask a trained run, or test it anew."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from fastweights.cli import speech
from fastweights.cli.console import piped, print_json
from fastweights.errors import UserError


@dataclass(frozen=True)
class Test:
    """Ask a run: answers with their probabilities, and what was attended to.

    A run of associative retrieval takes sequences (`fastweights test RUN "c9k8j3f1??c"`), one of catbAbI takes stories
    with questions ("Mary went to the kitchen. Where is Mary?"): as words, or one a line on standard input. A run of
    glimpses takes numbers of MNIST's test images (7 42), and is tested if there are none. A language model takes texts,
    or standard input as one, and says of each word how likely it was. With one of the options below a run is tested
    instead: a retrieval run on --samples fresh sequences of its own length or of --pairs, a catbAbI, glimpses or text
    run on a --split of the data, a text run on a --file. Agents take no questions: they play --samples episodes that
    they have not learned from, on metro maps those of both splits or of one --split; with the run's own seed, 0
    where none is said, these are the very episodes of its recorded test: another --seed gives fresh ones.
    """

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    questions: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sequences, stories, numbers of images or texts; none: read from standard input, but for images."""
    samples: int | None = None
    """Retrieval: test on so many sequences [default: 20,000]. Agents: episodes [default: as in training]."""
    pairs: int | None = None
    """Retrieval: pairs of those sequences [default: the run's own]."""
    seed: int | None = None
    """Seed of those sequences or episodes [default: 0]."""
    split: str | None = None
    """Test on this split instead. catbAbI, text: test or valid; glimpses: train too; metro maps: train or test."""
    file: Path | None = None
    """Text: test on this file instead."""
    data_dir: Path | None = None
    """catbAbI, glimpses, text: where the data is [default: FASTWEIGHTS_DATA or the cache folder]."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        from fastweights.experiments.loaded_run import part

        asking = part(self.folder, "predict")
        words = speech.of(self.folder)
        tests = self._given(
            "samples", "pairs", "seed", "split", "file", accepted=asking.TEST_OPTIONS
        )
        data = self._given("data_dir", accepted=asking.DATA_OPTIONS)
        asked = hasattr(asking, "ask")
        if self.questions and not asked:
            raise UserError(f"{self.folder} is a run that takes no questions")
        if tests or not asked or not (self.questions or asking.PIPED):
            if self.questions:
                raise UserError(f"give either {words.QUESTIONS} or --{' --'.join(tests)}, not both")
            tested = asking.test(self.folder, **tests, **data)
            print_json(tested) if self.json else words.show_test(tested)
            return 0
        answers = asking.ask(self.folder, self.questions or _piped(words, asking.PIPED), **data)
        if self.json:
            print_json(answers)
            return 0
        for answer in answers:
            words.show_answer(answer)
        return 0

    def _given(self, *names: str, accepted: tuple[str, ...]) -> dict[str, Any]:
        """The options that were given, if the run's task has them."""
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for name in given:
            if name not in accepted:
                raise UserError(
                    f"--{name.replace('_', '-')} is no option for the task of {self.folder}"
                )
        return given


def _piped(words: Any, taken: str) -> tuple[str, ...]:
    """Read questions from standard input: its lines, or the whole."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(f'no {words.QUESTIONS} given: add some ("{words.EXAMPLE}") or pipe them in')
    text = piped()
    questions = [text] if taken == "whole" else text.splitlines()
    found = tuple(question.strip() for question in questions if question.strip())
    if not found:
        raise UserError(f"no {words.QUESTIONS} on standard input")
    return found
