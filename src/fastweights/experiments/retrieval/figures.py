"""Pictures of retrieval runs: what to trace, which figures a run has, how several are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

import torch

from fastweights import figures
from fastweights.errors import UserError
from fastweights.experiments.experiment import Animation, Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun
from fastweights.experiments.retrieval.predict import TEST_SEED, shown
from fastweights.experiments.terminal import counted
from fastweights.nn import Trace
from fastweights.tasks import Retrieval

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Run = LoadedRun[Retrieval]


class Reference(TypedDict):
    """Accuracies to compare with, 0 to 1."""

    no_binding_ceiling: float
    best_possible: float


def _reference(run: Run) -> Reference:
    """The lines drawn beside every accuracy."""
    return {
        "no_binding_ceiling": run.task.no_binding_ceiling,
        "best_possible": run.task.best_possible,
    }


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run; the sequence to look inside with is by default the paper's or one of the task."""
    title = f"{run.name}, {counted(run.task.pairs, 'pair')}"
    tokens, symbols = _sequence(run, sequence)
    trace = _trace(run, tokens)
    slots = (
        run.metrics[-1]["per_slot_accuracy"]
        if run.result is None
        else run.recorded("per_slot_accuracy")
    )
    yield Figure(
        "training", lambda: figures.training_curves(run.metrics, **_reference(run), title=title)
    )
    yield Figure("slots", lambda: figures.slot_accuracy(slots, **_reference(run), title=title))
    yield Figure("hidden", lambda: figures.hidden_trace(trace, symbols, title=title))
    if _has_memory(run):
        yield Figure("memory", lambda: figures.memory_evolution(trace, symbols, title=title))
    if trace.read_weights is not None:
        yield Figure("attention", lambda: figures.attention(trace, symbols, title=title))


def compare(runs: list[Run]) -> Iterator[Figure]:
    """Compare runs of one length and form.

    Raises:
        UserError: if they are of several.
    """
    first = runs[0]
    if any(run.task.pairs != first.task.pairs or run.task.form != first.task.form for run in runs):
        raise UserError("runs of different lengths or forms cannot be compared in one figure")
    groups = group(runs)
    title = f"associative retrieval, {counted(first.task.pairs, 'pair')}"
    metrics = {name: [run.metrics for run in seeds] for name, seeds in groups.items()}
    yield Figure(
        "comparison", lambda: figures.comparison(metrics, **_reference(first), title=title)
    )
    if all(run.result is not None for run in runs):
        slots = {name: _mean_slots(seeds) for name, seeds in groups.items()}
        yield Figure(
            "slots", lambda: figures.slot_accuracy(slots, **_reference(first), title=title)
        )
    normed = {bool(run.config["model"]["options"].get("layer_norm", False)) for run in runs}
    if len(normed) == 2 and all(_has_memory(run) for run in runs):
        yield Figure(
            "saturation", lambda: _saturation({name: seeds[0] for name, seeds in groups.items()})
        )


def _saturation(runs: dict[str, Run]) -> Drawing:
    from fastweights.training.engine.probe import hidden_gradient_norms

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


def _sequence(run: Run, sequence: str | None) -> tuple[torch.Tensor, str]:
    tokens = run.task.encode(shown(run.task) if sequence is None else sequence)
    return tokens[None], run.task.decode(tokens)


@torch.no_grad()
def _trace(run: Run, tokens: torch.Tensor) -> Trace:
    return run.model.trace(tokens)


def _has_memory(run: Run) -> bool:
    return "memory" in getattr(run.model.initial_state(1), "_fields", ())


def animate(run: Run, sequence: str | None) -> Animation:
    """Animate the memory over one sequence, of a model that has one."""
    if not _has_memory(run):
        return Animation(None, f"{run.name} has no memory to show")
    tokens, symbols = _sequence(run, sequence)
    trace = _trace(run, tokens)
    answer = str(int(trace.output[0, -1].argmax()))
    return Animation(lambda path: figures.animate(trace, symbols, path, answer=answer))


def _mean_slots(seeds: list[Run]) -> list[float]:
    rows = [run.recorded("per_slot_accuracy") for run in seeds if run.result is not None]
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]
