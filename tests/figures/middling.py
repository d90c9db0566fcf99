"""Every figure of the library at a middling size, where many names and numbers have to find room."""

from __future__ import annotations

import numpy as np
import torch
from made import make_rows, make_trace
from smallest import (
    LONG,
    REFERENCE,
    Draw,
    bindings_of,
    by_task_of,
    epochs_of,
    glimpses_of,
    mode_of,
    played_of,
    rewards_of,
    row_of,
    saturation_of,
    streams_of,
    text_of,
    walk_of,
)

from fastweights import figures

FIFTY_SIX = "abcdefghijklmnopqrstuvwxyz" * 2 + "1??c"
MODELS = (
    "fast-weights",
    "lstm",
    "irnn",
    "associative-lstm",
    "gated-deltanet",
    "fwm",
    "transformer-xl",
)

MIDDLING: dict[str, Draw] = {
    "training": lambda: figures.training_curves(
        make_rows(steps=20),
        no_binding_ceiling=0.3835,
        best_possible=1.0,
        title="fast-weights, 4 pairs",
    ),
    "comparison": lambda: figures.comparison(
        {name: [make_rows(at + 0.2), make_rows(at + 0.4)] for at, name in enumerate(MODELS)},
        **REFERENCE,
        title="associative retrieval, 4 pairs",
    ),
    "errors": lambda: figures.error_curves(
        {name: [make_rows(at + 0.2), make_rows(at + 0.4)] for at, name in enumerate(MODELS)},
        tested={name: [1.0, 1.5] for name in MODELS},
        title="MNIST glimpses",
    ),
    "slots": lambda: figures.slot_accuracy(
        [0.3 + 0.02 * at for at in range(26)],
        no_binding_ceiling=0.1,
        best_possible=1.0,
        title="fast-weights, 26 pairs",
    ),
    "slots, seven models": lambda: figures.slot_accuracy(
        {name: [0.3 + 0.02 * at for at in range(26)] for name in MODELS},
        no_binding_ceiling=0.1,
        best_possible=1.0,
        title="associative retrieval, 26 pairs",
    ),
    "hidden": lambda: figures.hidden_trace(make_trace(FIFTY_SIX, hidden=50), FIFTY_SIX, title=LONG),
    "memory": lambda: figures.memory_evolution(
        make_trace(FIFTY_SIX, hidden=50), FIFTY_SIX, title=LONG
    ),
    "attention": lambda: figures.attention(make_trace(FIFTY_SIX, hidden=50), FIFTY_SIX, title=LONG),
    "attention, signed": lambda: figures.attention(
        make_trace("c9k8j3f1??c", signed=True), "c9k8j3f1??c", title="fast-weights, 4 pairs"
    ),
    "saturation": lambda: saturation_of("kv" * 26 + "??q", "relu"),
    "streams": lambda: figures.stream_curves(
        {name: [streams_of(9), streams_of(9, 0.4)] for name in MODELS},
        published={"fwm": {"accuracy": 0.9675, "perplexity": 1.1}},
        title="catbAbI qa",
    ),
    "tasks": lambda: figures.task_accuracy(
        {name: [at / 20 for at in range(20)] for name in MODELS[:4]},
        range(1, 21),
        labels={at: f"two supporting facts {at}" for at in range(1, 21)},
        overall=dict.fromkeys(MODELS[:4], 0.5),
        title="catbAbI qa, test split",
    ),
    "tasks, curves": lambda: figures.task_curves(
        {name: [by_task_of(9, [at / 20 for at in range(20)])] * 2 for name in MODELS},
        range(1, 21),
        labels={at: f"two supporting facts {at}" for at in range(1, 21)},
        over="minutes",
        title="catbAbI qa, validation text",
    ),
    "tasks, curves of some": lambda: figures.task_curves(
        {name: [by_task_of(3, [at / 20 for at in range(20)])] for name in MODELS[:2]},
        range(1, 21),
        shown=[3, 14, 16, 19, 20, 1, 2],
    ),
    "reads": lambda: figures.read_grid(
        torch.rand(3, 60),
        ["wolves", "are", "afraid", "of", "cats", "."] * 9
        + ["what", "is", "gertrude", "afraid", "of", "?"],
        answer="cats",
        probability=0.5,
        title="fwm, catbAbI qa; each read as a share of its largest weight",
    ),
    "rewards": lambda: figures.reward_curves(
        {name: [rewards_of(9), rewards_of(9, 1.0)] for name in MODELS},
        levels={
            "reward": {"best, map\nknown": 2.0, "random moves": 0.0},
            "train_reward": {"best, map\nknown": 2.0, "random moves": 1.9},
        },
        panels={"train_reward": "mean reward, train maps", "reward": "mean reward, test maps"},
        title="metro maps (faithful)",
    ),
    "reward by step": lambda: figures.reward_by_step(
        {name: np.random.default_rng(0).random((9, 30)) for name in MODELS},
        levels={"random moves": 0.4},
        title="metro maps (faithful), test maps",
    ),
    "film strip": lambda: figures.film_strip(
        played_of(23, 24), title="fast-weights, Catch (24, 3)"
    ),
    "walk": lambda: figures.walk_strip(
        walk_of(30, 6), title="fwm, metro maps (faithful): an episode on test map 0, reward 10"
    ),
    "glimpses": lambda: glimpses_of(24),
    "confusion": lambda: figures.confusion_matrix(
        (np.arange(100).reshape(10, 10) % 13 + 900 * np.eye(10, dtype=int)).tolist(),
        title="fast-weights, 50 features, plain glimpses\ntest error 1.50 %",
    ),
    "perplexity": lambda: figures.perplexity_curves(
        {"awd-fwm": [epochs_of(60)]},
        averaged={"awd-fwm": [40.0]},
        published={"awd-fwm": {1: 312.6, 20: 100.0}},
        title="awd-fwm, Penn Treebank",
    ),
    "perplexity, seven models": lambda: figures.perplexity_curves(
        {name: [epochs_of(9), epochs_of(8)] for name in MODELS},
        averaged={name: [at + 1.5] for at, name in enumerate(MODELS)},
        title="Penn Treebank",
    ),
    "passage": lambda: text_of(80, 3),
    "surprise": lambda: figures.surprise(
        {
            "awd-fwm": [3.0 + at % 5 for at in range(80)],
            "awd-lstm": [3.0 + at % 7 for at in range(80)],
        },
        ["phillips"] * 80,
        title="Penn Treebank, test text",
    ),
    "seeds": lambda: figures.seeds(
        {
            f"{form}, no LN, tanh, W={scale:g} I": [scale, 60.0, None]
            for form in ("inner", "flat")
            for scale in (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2)
        },
        {"flat, no LN, tanh, W=1 I": 61.65},
        "What makes the network bind at all?",
    ),
    "setting map": lambda: figures.setting_map(
        np.linspace(0, 100, 30).reshape(6, 5),
        ("decay λ", [0.5, 0.8, 0.9, 0.95, 0.99, 1.0]),
        ("rate η", [0.05, 0.1, 0.25, 0.5, 1.0]),
        "median test error (%), 4 pairs",
    ),
    "bindings": lambda: bindings_of(10, list(range(5, 101, 5)), 5),
    "error table": lambda: figures.error_table(
        [
            row_of(name, size, [at + 1.0, at + 1.2], mode)
            for at, name in enumerate(MODELS)
            for size in (20, 50, 100)
            for mode in ("fresh data, 5,400 steps", "fixed data, 50 epochs")
        ],
        no_binding_error=61.65,
        title="Ba et al. 2016, Table 1: associative retrieval",
    ),
    "score by step": lambda: figures.score_by_step(
        {
            name: [[0.5 + at / 600 for at in range(256)] for _ in range(3)]
            for name in ("deltanet, negative eigenvalues true", "gated-deltaproduct", "lstm", "fwm")
        },
        trained=40,
        levels={"without memory": 0.2, "no binding": 0.25},
        title="modular-arithmetic, length 40",
    ),
    "error by step": lambda: figures.score_by_step(
        {"lstm": [[None if at % 2 else 1 / (1 + at) for at in range(31)]]},
        measure="squared_error",
        levels={"always 0": 1.01, "noise": 0.01},
        beside={"ridge regression": [None if at % 2 else 1 / (1 + at) ** 2 for at in range(31)]},
    ),
    "score table": lambda: figures.score_table(
        [
            mode_of(model, test, 10.0 * place, 3)
            for place, model in enumerate(
                ("gated-linear-attention", "fast-weights-two-paths", "lstm")
            )
            for test in ("in-context-recall", "noisy-recall", "selective-copying", "memorisation")
        ],
        chance={"noisy-recall": 12.5},
        title="MAD: six tests of what a layer can do",
    ),
    "mode table": lambda: figures.mode_table(
        [
            mode_of(name, mode, 10.0 * at, 3)
            for at, name in enumerate(MODELS)
            for mode in ("QA", "LM")
        ],
        title="Schlag et al. 2021, Table 1: catbAbI",
    ),
    "growth": lambda: figures.growth(
        [100, 200, 400, 800, 1600, 3200],
        {name: [1.0, 2, 4, 8, 16, 32] for name in MODELS},
        title="growth of the time",
    ),
}
