"""What a terminal shows of Catch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import Shown, figure_table, training_rows


def report(result: Record, samples: Sequence[Record]) -> Iterator[Shown]:
    """Show what came of training."""
    pace = result["frames"] / max(result["train_seconds"], 1e-9)
    reached = result["frames_to_reach"]
    rows = [
        *_tested(result),
        ("mean reward of .95", "not reached" if reached is None else f"after {reached:,} frames"),
        ("frames", f"{result['frames']:,}, {pace:,.0f} a second"),
        *training_rows(result, "updates"),
    ]
    yield figure_table(_title(result), rows)


def report_test(tested: Record) -> Iterator[Shown]:
    """Show a test on fresh episodes."""
    yield figure_table(_title(tested), _tested(tested))


def _title(figures: Record) -> str:
    return f"{figures['model']}, Catch ({figures['size']}, {figures['visible']})"


def _tested(figures: Record) -> list[tuple[str, str]]:
    reward = f"{figures['test_reward']:.3f} ± {figures['test_reward_error']:.3f}"
    episodes = f"{figures['test_episodes']:,} fresh episodes, actions sampled"
    return [
        ("mean reward", f"{reward}  ({episodes})"),
        ("caught", f"{100 * figures['caught']:.2f} %"),
        ("without seeing the ball", f"{figures['chance']:.3f}"),
        ("best possible", f"{figures['best_possible']:.3f}"),
    ]
