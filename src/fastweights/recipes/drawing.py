"""Draw runs: what to trace, which figures a run has, how several are told apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import torch

from fastweights.errors import UserError
from fastweights.recipes.asking import open_run
from fastweights.recipes.run import TEST_SEED
from fastweights.runs import Run

SHOWN = "c9k8j3f1??c"
"""The sequence of the paper, drawn where a run has its length and form."""


class Reference(TypedDict):
    """Accuracies to compare with, 0 to 1."""

    no_binding_ceiling: float
    best_possible: float


class Drawable(NamedTuple):
    """An opened run with all that its figures need."""

    folder: Path
    model: Any
    task: Any
    config: dict[str, Any]
    metrics: list[dict[str, Any]]
    result: dict[str, Any] | None

    @property
    def reference(self) -> Reference:
        """The lines drawn beside every accuracy."""
        task = self.task
        return {"no_binding_ceiling": task.no_binding_ceiling, "best_possible": task.best_possible}


def draw(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    sequence: str | None = None,
    gif: bool = False,
    form: str = "png",
    told: Callable[[str], None] = lambda name: None,
) -> list[Path]:
    """Draw one run's figures, or the comparison of several, and return the paths of the pictures.

    Args:
        folders: run folders.
        out: where the pictures go; None: the run's own `figures` folder, or `figures` for a comparison.
        sequence: the sequence to look inside with; None: the paper's, or one of the task.
        gif: animate the memory too.
        form: png, pdf or svg.
        told: called with each figure's name before it is drawn.

    Raises:
        UserError: if a folder is no run of the task, or the sequence cannot be answered.
    """
    from fastweights.figures import save

    if not folders:
        raise UserError("plot needs at least one run folder")
    runs = [_open(folder) for folder in folders]
    single = runs[0] if len(runs) == 1 else None
    target = out or (single.folder / "figures" if single else Path("figures"))
    figures = _one(single, sequence) if single else _several(runs)
    paths = []
    for name, make in figures:
        told(name)
        paths.append(save(make(), target / f"{name}.{form}"))
    if single and gif and _has_memory(single):
        told("animation")
        paths.append(_animate(single, sequence, target / "memory.gif"))
    return paths


def _open(folder: Path) -> Drawable:
    model, task, config = open_run(folder)
    run = Run.open(folder)
    metrics = run.metrics()
    if len(metrics) < 2:
        raise UserError(f"{folder} has not been evaluated often enough to draw: train it further")
    return Drawable(folder, model, task, config, metrics, run.result())


Figures = Iterable[tuple[str, Callable[[], Any]]]


def _one(run: Drawable, sequence: str | None) -> Figures:
    from fastweights import figures

    title = f"{run.config['model']['name']}, {run.task.pairs} pairs"
    tokens, symbols = _shown(run, sequence)
    trace = _trace(run, tokens)
    slots = (
        run.metrics[-1]["per_slot_accuracy"]
        if run.result is None
        else run.result["per_slot_accuracy"]
    )
    yield "training", lambda: figures.training_curves(run.metrics, **run.reference, title=title)
    yield "slots", lambda: figures.slot_accuracy(slots, **run.reference, title=title)
    yield "hidden", lambda: figures.hidden_trace(trace, symbols, title=title)
    if _has_memory(run):
        yield "memory", lambda: figures.memory_evolution(trace, symbols, title=title)
    if trace.read_weights is not None:
        yield "attention", lambda: figures.attention(trace, symbols, title=title)


def _several(runs: list[Drawable]) -> Figures:
    from fastweights import figures

    first = runs[0]
    if any(run.task.pairs != first.task.pairs or run.task.form != first.task.form for run in runs):
        raise UserError("runs of different lengths or forms cannot be compared in one figure")
    groups = _group(runs)
    title = f"associative retrieval, {first.task.pairs} pairs"
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    yield "comparison", lambda: figures.comparison(metrics, **first.reference, title=title)
    if all(run.result for run in runs):
        slots = {name: _mean_slots(seeds) for name, seeds in groups.items()}
        yield "slots", lambda: figures.slot_accuracy(slots, **first.reference, title=title)
    normed = {bool(run.config["model"]["options"].get("layer_norm", False)) for run in runs}
    if len(normed) == 2 and all(_has_memory(run) for run in runs):
        yield "saturation", lambda: _saturation({name: seeds[0] for name, seeds in groups.items()})


def _saturation(runs: dict[str, Drawable]) -> Any:
    from fastweights import figures
    from fastweights.training.probe import hidden_gradient_norms

    first = next(iter(runs.values()))
    batch = first.task.sample(256, torch.Generator().manual_seed(TEST_SEED))
    traces = {name: _trace(run, batch.tokens) for name, run in runs.items()}
    gradients = {
        name: hidden_gradient_norms(run.model, batch.tokens, batch.answer)
        for name, run in runs.items()
    }
    nonlinearity = first.config["model"]["options"]["nonlinearity"]
    symbols = "kv" * first.task.pairs + ("??q" if first.task.form == "paper" else "??q?")
    return figures.saturation(traces, gradients, symbols=symbols, nonlinearity=nonlinearity)


def _group(runs: list[Drawable]) -> dict[str, list[Drawable]]:
    """Put the seeds of one recipe together; a name in the legend is the model and whatever else sets it apart."""
    alike: dict[str, list[Drawable]] = {}
    for run in runs:
        recipe = {**run.config["recipe"], "seed": 0, "device": "", "backend": ""}
        alike.setdefault(json.dumps(recipe, sort_keys=True), []).append(run)
    recipes = [json.loads(key) for key in alike]
    named = {}
    for recipe, seeds in zip(recipes, alike.values(), strict=True):
        same = [other for other in recipes if other["model"] == recipe["model"]]
        apart = [key for key in recipe if any(other[key] != recipe[key] for other in same)]
        words = [_in_words(key, recipe[key]) for key in apart]
        named[", ".join([recipe["model"], *words])] = seeds
    return named


def _in_words(option: str, value: Any) -> str:
    if option == "layer_norm":
        return "with LN" if value else "without LN"
    return f"{option.replace('_', ' ')} {value}"


def _shown(run: Drawable, sequence: str | None) -> tuple[torch.Tensor, str]:
    if sequence is None and len(SHOWN) == run.task.length:
        sequence = SHOWN
    if sequence is not None:
        tokens = run.task.encode(sequence)
    else:
        tokens = run.task.sample(1, torch.Generator().manual_seed(TEST_SEED)).tokens[0]
    return tokens[None], run.task.decode(tokens)


@torch.no_grad()
def _trace(run: Drawable, tokens: torch.Tensor) -> Any:
    return run.model.trace(tokens)


def _has_memory(run: Drawable) -> bool:
    return "memory" in getattr(run.model.initial_state(1), "_fields", ())


def _animate(run: Drawable, sequence: str | None, path: Path) -> Path:
    from fastweights import figures

    tokens, symbols = _shown(run, sequence)
    trace = _trace(run, tokens)
    answer = str(int(trace.output[0, -1].argmax()))
    return figures.animate(trace, symbols, path, answer=answer)


def _mean_slots(seeds: list[Drawable]) -> list[float]:
    rows = [run.result["per_slot_accuracy"] for run in seeds if run.result]
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]
