"""`fastweights test RUN`: ask a trained model, or test it on sequences of any length."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from fastweights.cli.console import print_json, print_table
from fastweights.errors import UserError


@dataclass(frozen=True)
class Test:
    """Ask a run: the answer, its probability, and how much each past step was attended to.

    Give sequences as words (`fastweights test RUN "c9k8j3f1??c"`) or one a line on standard input. With --samples the
    run is tested on that many fresh sequences instead, of its own length or of --pairs.
    """

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    sequences: tyro.conf.Positional[tuple[str, ...]] = ()
    """Sequences to answer; none: read them from standard input."""
    samples: int | None = None
    """Test on this many fresh sequences instead."""
    pairs: int | None = None
    """Pairs of those sequences [default: the run's own]."""
    seed: int = 0
    """Seed of those sequences."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        from fastweights.recipes import asking

        if self.samples is not None or self.pairs is not None:
            if self.sequences:
                raise UserError("give either sequences or --samples/--pairs, not both")
            tested = asking.test(
                self.folder, pairs=self.pairs, samples=self.samples, seed=self.seed
            )
            print_json(tested) if self.json else _report(tested)
            return 0
        answers = asking.ask(self.folder, self.sequences or _lines())
        if self.json:
            print_json(answers)
            return 0
        for answer in answers:
            _show(answer)
        return 0


def _lines() -> tuple[str, ...]:
    if sys.stdin is None or sys.stdin.isatty():
        raise UserError(
            'no sequences given: add some ("c9k8j3f1??c"), pipe them in, or use --samples'
        )
    lines = tuple(line.strip() for line in sys.stdin if line.strip())
    if not lines:
        raise UserError("no sequences on standard input")
    return lines


def _show(answer: dict[str, Any]) -> None:
    print(f"{answer['sequence']} → {answer['answer']}   (probability {answer['probability']:.4f})")
    if not answer["attention"]:
        return
    symbols = answer["sequence"]
    print("  step       " + "".join(f"{symbol:>6}" for symbol in symbols))
    print("  attention %" + "".join(f"{100 * share:6.1f}" for share in answer["attention"]))


def _report(tested: dict[str, Any]) -> None:
    slots = "  ".join(f"{100 * accuracy:.2f}" for accuracy in tested["per_slot_accuracy"])
    print_table(
        f"{tested['model']}, trained on {tested['trained_pairs']} pairs, tested on {tested['pairs']}",
        ("", ""),
        [
            ("test accuracy", f"{100 * tested['test_accuracy']:.3f} %  ({tested['test_samples']:,} sequences)"),
            ("by slot, oldest first", f"{slots} %"),
            ("no-binding ceiling", f"{100 * tested['no_binding_ceiling']:.2f} %"),
            ("best possible", f"{100 * tested['best_possible']:.2f} %"),
        ],
    )  # fmt: skip
