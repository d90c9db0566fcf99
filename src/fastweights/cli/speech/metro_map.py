"""What a person reads of the metro maps."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    pace = result["updates_per_second"]
    train = result["train_reward"]
    rows = [
        ("test maps", _reward(result, "test")),
        ("train maps, the last updates", "" if train is None else f"{train:.2f}"),
        *_bounds(result, ""),
        ("training", f"{result['steps']:,} updates in {seconds}"),
        ("pace", "" if pace is None else f"{pace:.2f} updates a second"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]
    print_table(_title(result), ("", "mean reward of an episode"), rows)


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on fresh episodes."""
    rows = []
    for split in ("train", "test"):
        if f"{split}_reward" in tested:
            rows += [(f"{split} maps", _reward(tested, split)), *_bounds(tested, f"{split}_")]
    print_table(_title(tested), ("", "mean reward of an episode"), rows)


def _title(figures: dict[str, Any]) -> str:
    return f"{figures['model']}, metro maps ({figures['form']})"


def _reward(figures: dict[str, Any], split: str) -> str:
    value, error = figures[f"{split}_reward"], figures[f"{split}_reward_error"]
    episodes = figures[f"{split}_episodes"]
    return f"{value:.2f} ± {error:.2f}  ({episodes:,} fresh episodes, actions sampled)"


def _bounds(figures: dict[str, Any], prefix: str) -> list[tuple[str, str]]:
    return [
        ("  best possible, map known", f"{figures[f'{prefix}best_possible']:.2f}"),
        ("  random moves", f"{figures[f'{prefix}chance']:.2f}"),
    ]
