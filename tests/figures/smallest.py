"""Every figure of the library at its smallest: what is drawn, by name; and made-up numbers to draw."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from made import make_rows, make_trace
from matplotlib.figure import Figure

from fastweights import figures
from fastweights.tasks.glimpses import path

REFERENCE = {"no_binding_ceiling": 0.1, "best_possible": 1.0}
Draw = Callable[[], Figure]


def streams_of(points: int, value: float = 0.5) -> list[dict]:
    return [
        {"step": 10 * at, "seconds": 30.0 * at, "accuracy": value + 0.4 * at / points,
         "perplexity": 20 / (1 + at), "train_loss": 3 / (1 + at)}
        for at in range(points)
    ]  # fmt: skip


def by_task_of(points: int, accuracies: list[float | None]) -> list[dict]:
    return [
        {"step": 10 * at, "seconds": 30.0 * at, "per_task_accuracy": accuracies}
        for at in range(points)
    ]


def epochs_of(points: int) -> list[dict]:
    return [
        {"epoch": float(at), "seconds": 9.0 * at, "validation_perplexity": 600 / (1 + at),
         "train_cross_entropy": math.log(500 / (1 + at)), "learning_rate": 0.006}
        for at in range(points + 1)
    ]  # fmt: skip


def rewards_of(points: int, reward: float = 0.0) -> list[dict]:
    return [
        {"step": 10 * at, "reward": reward + at / points, "train_entropy": 1.1 - at / points,
         "train_value_loss": 2.0 / (1 + at), "train_reward": 2 * reward + at / points}
        for at in range(points)
    ]  # fmt: skip


def row_of(model: str, hidden: int, seeds: list[float], mode: str = "fresh data") -> dict:
    return {"model": model, "hidden": hidden, "value": seeds[0], "median": seeds[0], "mode": mode,
            "paper": 1.81, "by_seed": {str(at): {"value": value} for at, value in enumerate(seeds)}}  # fmt: skip


def mode_of(model: str, mode: str, value: float | None, seeds: int) -> dict:
    return {"model": model, "mode": mode, "metric": "test_accuracy_percent", "value": value,
            "sd": None if seeds == 1 or value is None else 1.25, "seeds": seeds, "paper": 96.75}  # fmt: skip


def played_of(steps: int, screen: int) -> figures.Played:
    screens = np.zeros((steps + 1, screen, screen))
    policy = np.full((steps, 3), 1 / 3)
    taken = [at % 3 for at in range(steps)]
    return figures.Played(
        screens, np.arange(steps + 1) < 2, policy, taken, ("left", "stay", "right"), -1.0
    )


def walk_of(steps: int, states: int) -> figures.Walk:
    graph = np.stack([(np.arange(states) + 1) % states, np.full(states, -1)], 1)
    at = np.arange(steps)
    reward = np.where(at == steps - 1, 10.0, 0.0)
    return figures.Walk(graph, at % states, (at + 2) % states, at % 2, reward, at < 0)


def glimpses_of(steps: int) -> Figure:
    views = path("plain")[:steps]
    beliefs, shares = np.full((len(views), 10), 0.1), [1 / len(views)] * len(views)
    image, seen = np.zeros((28, 28), np.uint8), np.zeros((len(views), 7, 7))
    title = "fast-weights, 50 features, plain glimpses: test image 0 → 7 (right)"
    return figures.glimpse_path(image, views, seen, beliefs, shares, title=title)


def bindings_of(size: int, counts: list[int], seeds: int) -> Figure:
    grids = {"product": np.zeros((size, size)), "concat": np.full((size, size), float(size > 1))}
    lost = {name: [[float(at) for at in counts]] * seeds for name in grids}
    return figures.bindings(grids, counts, lost)


def text_of(words: int, reads: int) -> Figure:
    weights = torch.full((reads, words - 1), 0.5) if words > 1 else None
    bits = [3.0 + at % 5 for at in range(words)]
    title = "awd-fwm, tiny.txt, test text: what the reads for “word” took"
    chosen = words - 1 if words > 1 else None
    return figures.passage(bits, ["word"] * words, read_weights=weights, chosen=chosen, title=title)


def saturation_of(symbols: str, nonlinearity: str) -> Figure:
    traces = {name: make_trace(symbols, signed=True) for name in ("fast-weights", "no layer norm")}
    gradients = {name: [0.0] * (len(symbols) - 1) + [1.0] for name in traces}
    return figures.saturation(traces, gradients, symbols=symbols, nonlinearity=nonlinearity)


LONG = "fast-weights, 26 pairs"

SMALLEST: dict[str, Draw] = {
    "training, before a step": lambda: figures.training_curves(
        make_rows(steps=1), **REFERENCE, title="fast-weights, 1 pairs"
    ),
    "training, one step": lambda: figures.training_curves(
        make_rows(steps=2), **REFERENCE, title="fast-weights, 1 pairs"
    ),
    "training, loss alone": lambda: figures.training_curves(
        [{"step": 1, "train_loss": 0.0}], title=LONG
    ),
    "training, nothing finite": lambda: figures.training_curves(
        [{"step": 1, "train_loss": None, "accuracy": None}]
    ),
    "comparison": lambda: figures.comparison(
        {"lstm": [make_rows(steps=1)]}, **REFERENCE, title="1 pairs"
    ),
    "comparison, two seeds": lambda: figures.comparison(
        {"lstm": [make_rows(steps=1), make_rows(2, steps=1)]}, **REFERENCE
    ),
    "errors": lambda: figures.error_curves({"lstm": [make_rows(steps=1)]}, title="MNIST glimpses"),
    "errors, none": lambda: figures.error_curves(
        {"lstm": [[{"step": 1, "accuracy": 1.0}]]}, tested={"lstm": [0.0]}
    ),
    "slots": lambda: figures.slot_accuracy([1.0], **REFERENCE, title="fast-weights, 1 pairs"),
    "slots, all wrong": lambda: figures.slot_accuracy(
        [0.0], no_binding_ceiling=1.0, best_possible=1.0
    ),
    "hidden": lambda: figures.hidden_trace(
        make_trace("a", hidden=1), "a", title="fast-weights, 1 pairs"
    ),
    "memory": lambda: figures.memory_evolution(
        make_trace("a", hidden=1), "a", title="fast-weights, 1 pairs"
    ),
    "attention": lambda: figures.attention(
        make_trace("a", hidden=1), "a", title="fast-weights, 1 pairs"
    ),
    "saturation": lambda: saturation_of("a", "tanh"),
    "streams": lambda: figures.stream_curves(
        {"fwm": [streams_of(1)]},
        published={"fwm": {"accuracy": 0.9675, "perplexity": 1.1}},
        title="fwm, catbAbI qa",
    ),
    "streams, two points": lambda: figures.stream_curves(
        {"fwm": [streams_of(2)]},
        published={"fwm": {"accuracy": 0.9675, "perplexity": 1.1}},
        title="fwm, catbAbI qa",
    ),
    "tasks": lambda: figures.task_accuracy(
        {"fwm": [math.nan]},
        [1],
        labels={1: "single supporting fact"},
        title="fwm, catbAbI qa, validation text",
    ),
    "tasks, curves": lambda: figures.task_curves(
        {"fwm": [by_task_of(1, [0.5])]}, [1], title="fwm, catbAbI qa"
    ),
    "tasks, curves, nothing finite": lambda: figures.task_curves(
        {"fwm": [by_task_of(2, [None])]}, [1], over="minutes"
    ),
    "reads": lambda: figures.read_grid(
        torch.zeros(1, 1),
        ["?"],
        answer="kitchen",
        probability=0.0,
        title="fwm, catbAbI qa; each read as a share of its largest weight",
    ),
    "rewards": lambda: figures.reward_curves(
        {"": [rewards_of(1)]},
        frames={"": 100},
        levels={"reward": {"best possible": 1.0, "ball unseen": 0.9}},
        panels={
            "reward": "mean reward of an episode",
            "train_entropy": "entropy of the policy (nats)",
            "train_value_loss": "squared error of the value",
        },
        title="fast-weights, Catch (24, 3)",
    ),
    "rewards, one panel": lambda: figures.reward_curves(
        {"lstm": [rewards_of(1)]}, levels={"reward": {"best possible": 1.0}}
    ),
    "reward by step": lambda: figures.reward_by_step(
        {"": np.zeros((1, 1))},
        levels={"random moves": 0.0},
        title="fwm, metro maps (faithful), test maps",
    ),
    "reward by step, no levels": lambda: figures.reward_by_step({"lstm": np.zeros((1, 1))}),
    "film strip": lambda: figures.film_strip(played_of(1, 1), title="fast-weights, Catch (24, 3)"),
    "walk": lambda: figures.walk_strip(
        walk_of(1, 2), title="fwm, metro maps (faithful): an episode on test map 0, reward 10"
    ),
    "glimpses": lambda: glimpses_of(1),
    "confusion": lambda: figures.confusion_matrix(
        [[0]], title="fast-weights, 50 features, plain glimpses\ntest error 0.00 %"
    ),
    "perplexity": lambda: figures.perplexity_curves(
        {"awd-fwm": [epochs_of(1)]}, title="awd-fwm, tiny.txt"
    ),
    "perplexity, two models": lambda: figures.perplexity_curves(
        {name: [epochs_of(1)] for name in ("awd-fwm", "awd-lstm")},
        averaged={"awd-fwm": [1.0]},
        published={"awd-fwm": {1: 312.6}},
        title="tiny.txt",
    ),
    "passage": lambda: text_of(1, 0),
    "passage, two words": lambda: text_of(2, 1),
    "surprise": lambda: figures.surprise(
        {"awd-fwm": [0.0], "awd-lstm": [9.0]}, ["a"], title="tiny.txt"
    ),
    "bindings": lambda: bindings_of(1, [1], 1),
    "seeds": lambda: figures.seeds({"inner": [0.0]}, title="a question"),
    "seeds, all diverged": lambda: figures.seeds({"flat, no LN": [None, None]}, {}),
    "setting map": lambda: figures.setting_map(np.zeros((1, 1)), ("λ", [1.0]), ("η", [0.1])),
    "error table": lambda: figures.error_table(
        [row_of("lstm", 20, [1.5])],
        no_binding_error=61.65,
        title="Ba et al. 2016, Table 1: associative retrieval",
    ),
    "error table, no error": lambda: figures.error_table(
        [row_of("lstm", 20, [0.0])], title="Ba et al. 2016, Table 1"
    ),
    "mode table": lambda: figures.mode_table(
        [mode_of("fwm", "QA", None, 1)], title="Schlag et al. 2021, Table 1: catbAbI"
    ),
    "score by step": lambda: figures.score_by_step(
        {"": [[1.0]]}, levels={"without memory": 0.5}, title="lstm, parity, length 40"
    ),
    "error by step": lambda: figures.score_by_step(
        {"lstm": [[0.5]]}, measure="squared_error", levels={"always 0": 1.01, "noise": 0.0}
    ),
    "score table": lambda: figures.score_table(
        [mode_of("lstm", "parity", 50.0, 1)], title="Parity"
    ),
    "growth": lambda: figures.growth([100], {"fused": [1.0]}, title="growth"),
}
