"""What a person reads of Catch."""

from __future__ import annotations

from typing import Any

from fastweights.cli.console import print_table


def show_result(result: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    """Print what came of training."""
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    pace = result["frames"] / max(result["train_seconds"], 1e-9)
    reached = result["frames_to_reach"]
    rows = [
        *_tested(result),
        ("mean reward of .95", "not reached" if reached is None else f"after {reached:,} frames"),
        ("training", f"{result['steps']:,} updates in {seconds}"),
        ("frames", f"{result['frames']:,}, {pace:,.0f} a second"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]
    print_table(_title(result), ("", ""), rows)


def show_test(tested: dict[str, Any]) -> None:
    """Print a test on fresh episodes."""
    print_table(_title(tested), ("", ""), _tested(tested))


def _title(figures: dict[str, Any]) -> str:
    return f"{figures['model']}, Catch ({figures['size']}, {figures['visible']})"


def _tested(figures: dict[str, Any]) -> list[tuple[str, str]]:
    reward = f"{figures['test_reward']:.3f} ± {figures['test_reward_error']:.3f}"
    return [
        ("mean reward", f"{reward}  ({figures['test_episodes']:,} fresh episodes, actions sampled)"),
        ("caught", f"{100 * figures['caught']:.2f} %"),
        ("without seeing the ball", f"{figures['chance']:.3f}"),
        ("best possible", f"{figures['best_possible']:.3f}"),
    ]  # fmt: skip
