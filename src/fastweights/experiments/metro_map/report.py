"""What a terminal shows of the metro maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import Shown, figure_table, training_rows

HEADING = "mean reward of an episode"


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training."""
    pace, train = result["updates_per_second"], result["train_reward"]
    length, *machine = training_rows(result, "updates")
    rows = [
        ("test maps", _reward(result, "test")),
        ("train maps, the last updates", "" if train is None else f"{train:.2f}"),
        *_bounds(result, ""),
        length,
        ("pace", "" if pace is None else f"{pace:.2f} updates a second"),
        *machine,
    ]
    yield figure_table(_title(result), rows, HEADING)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on fresh episodes."""
    rows = []
    for split in ("train", "test"):
        if f"{split}_reward" in tested:
            rows += [(f"{split} maps", _reward(tested, split)), *_bounds(tested, f"{split}_")]
    yield figure_table(_title(tested), rows, HEADING)


def _title(figures: Record) -> str:
    return f"{figures['model']}, metro maps ({figures['form']})"


def _reward(figures: Record, split: str) -> str:
    value, error = figures[f"{split}_reward"], figures[f"{split}_reward_error"]
    episodes = figures[f"{split}_episodes"]
    return f"{value:.2f} ± {error:.2f}  ({episodes:,} fresh episodes, actions sampled)"


def _bounds(figures: Record, prefix: str) -> list[tuple[str, str]]:
    return [
        ("  best possible, map known", f"{figures[f'{prefix}best_possible']:.2f}"),
        ("  random moves", f"{figures[f'{prefix}chance']:.2f}"),
    ]
