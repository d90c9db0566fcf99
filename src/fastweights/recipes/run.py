"""Run a retrieval recipe: make or resume its run folder, train, test, and record the result."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fastweights import models
from fastweights.errors import UserError
from fastweights.recipes.retrieval import Resolved, Retrieval
from fastweights.runs import Run
from fastweights.tasks.retrieval import Retrieval as Task
from fastweights.training import (
    Optimiser,
    Schedule,
    Settings,
    Supervised,
    TerminalProgress,
    fit,
)

SMALL = 1500
"""Hidden units times steps of a sequence, below which one thread is the faster choice."""

TEST_SEED = 2**31
"""Added to a recipe's seed for its test sequences, far from the seeds of training and evaluation data."""


class Trained(NamedTuple):
    """What came of a recipe: the recorded result, a few answered questions, or where it was interrupted."""

    result: dict[str, Any]
    samples: list[dict[str, Any]]
    step: int
    interrupted: bool


def default_folder(recipe: Resolved) -> Path:
    """Name a run after what sets it apart."""
    form = "" if recipe.form == "paper" else f"-{recipe.form}"
    size = f"n{recipe.pairs}-h{recipe.hidden}-s{recipe.seed}"
    return Path("runs") / f"retrieval{form}-{recipe.model}-{size}"


def train(
    recipe: Retrieval,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Train, test and record a recipe in a run folder.

    Args:
        recipe: what to train; options left at None are filled in.
        folder: the run folder to make.
        resume: go on with the run in the folder, to the bit; where there is none yet, begin it.
        overwrite: replace the run in the folder.
        progress: show a bar on the terminal.
        stop: asked after each step; True ends the run as Ctrl-C does, resumable.

    Raises:
        UserError: if the folder holds something else, the recipe cannot be run, or training diverges.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    if resume and (folder / "config.json").exists():
        run = Run.open(folder)
        chosen = _recorded(recipe, run).resolve()
    else:
        chosen, run = recipe.resolve(), None
    with _threads(chosen):
        return _train(chosen, folder, run, resume, overwrite, progress, stop)


def _train(
    chosen: Resolved,
    folder: Path,
    run: Run | None,
    resume: bool,
    overwrite: bool,
    progress: bool,
    stop: Callable[[], bool] | None,
) -> Trained:
    # The model comes before the folder: a setting that it refuses must leave nothing behind.
    torch.manual_seed(chosen.seed)
    model = models.from_config(chosen.model_config())
    settings = engine_settings(chosen)
    run = run or _begin(chosen, folder, overwrite)
    recorded = run.result()
    if resume and recorded is not None:
        return Trained(recorded, [], recorded["steps"], False)
    task = chosen.task()
    if progress:
        _say(_opening(chosen, model))
    outcome = fit(
        model,
        source(chosen),
        settings,
        run,
        progress=TerminalProgress(f"{chosen.model}, {chosen.pairs} pairs", task.no_binding_ceiling)
        if progress
        else None,
        stop=stop,
    )
    if outcome.interrupted:
        return Trained({}, [], outcome.steps, True)
    tested, samples = examine(model, task, chosen.test_samples, TEST_SEED + chosen.seed)
    result = {
        "model": chosen.model,
        "pairs": chosen.pairs,
        "form": chosen.form,
        **tested,
        "validation_error_percent": 100 * (1 - outcome.metrics["accuracy"]),
        "steps": outcome.steps,
        "train_seconds": outcome.seconds,
        "compile_seconds": outcome.compile_seconds,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "backend": backend_of(model),
        "threads": torch.get_num_threads(),
        "seed": chosen.seed,
        "out": str(folder),
    }
    run.write_result(result)
    return Trained(result, samples, outcome.steps, False)


@contextmanager
def _threads(recipe: Resolved) -> Iterator[None]:
    """Train small networks on one thread: waking a second one costs a step more than it saves."""
    before = torch.get_num_threads()
    if recipe.hidden * recipe.task().length < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def source(recipe: Resolved) -> Supervised:
    """Make the recipe's batches: fresh or fixed data, in stages if there is a curriculum."""
    stages = recipe.curriculum or (recipe.pairs,)
    share = recipe.steps / len(stages)
    return Supervised(
        [(round(place * share), recipe.task(pairs)) for place, pairs in enumerate(stages)],
        batch=recipe.batch,
        seed=recipe.seed,
        fixed=recipe.data == "fixed",
        device=recipe.device,
    )


def engine_settings(recipe: Resolved) -> Settings:
    """Translate a resolved recipe into the engine's settings."""
    return Settings(
        steps=recipe.steps,
        optimiser=Optimiser(recipe.optimiser, recipe.learning_rate, betas=(0.9, recipe.beta2)),
        schedule=Schedule(recipe.warmup, recipe.schedule),
        clip=recipe.clip,
        seed=recipe.seed,
        evaluation_interval=recipe.evaluation_interval,
        device=recipe.device,
    )


@torch.no_grad()
def examine(
    model: models.SequenceModel, task: Task, samples: int, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Test a model on fresh sequences; return the figures and the first five questions with their answers."""
    model.eval()
    device = next(model.parameters()).device
    batch = task.sample(samples, torch.Generator().manual_seed(seed))
    logits = torch.cat(
        [
            model(tokens.to(device), last_only=True, need_state=False)[0].float().cpu()
            for tokens in batch.tokens.split(2000)
        ]
    )
    figures = task.metrics(logits, batch)
    accuracy = figures["accuracy"]
    assert isinstance(accuracy, float)
    tested = {
        "test_accuracy": accuracy,
        "test_error_percent": 100 * (1 - accuracy),
        "test_samples": samples,
        "per_slot_accuracy": figures["per_slot_accuracy"],
        "no_binding_ceiling": task.no_binding_ceiling,
        "best_possible": task.best_possible,
        "cross_entropy": figures["cross_entropy"],
    }
    probabilities, answers = logits[:5].softmax(-1).max(-1)
    shown = [
        {
            "sequence": task.decode(batch.tokens[row]),
            "answer": str(int(answers[row])),
            "probability": float(probabilities[row]),
            "truth": str(int(batch.answer[row])),
        }
        for row in range(len(answers))
    ]
    return tested, shown


def backend_of(model: models.SequenceModel) -> str:
    """Name the implementation of the model's recurrence that runs here."""
    return getattr(model.backbone, "backend_in_use", "torch")


def _begin(recipe: Resolved, folder: Path, overwrite: bool) -> Run:
    config = {
        "recipe": dataclasses.asdict(recipe),
        "model": recipe.model_config(),
        "task": {
            "name": "retrieval",
            "options": {
                "pairs": recipe.pairs,
                "form": recipe.form,
                "repeat_keys": recipe.repeat_keys,
            },
        },
    }
    if overwrite and folder.exists():
        Run.open(folder)  # nothing but a run is ever replaced
        shutil.rmtree(folder)
    return Run.create(folder, config)


def _recorded(given: Retrieval, run: Run) -> Retrieval:
    """Take the recipe that a run was begun with; what is given besides must agree with it."""
    record = run.config.get("recipe")
    known = {field.name: field.default for field in dataclasses.fields(Retrieval)}
    if not isinstance(record, dict) or set(record) != set(known):
        raise UserError(f"{run.folder} is not a run of this command: it records no such recipe")
    record = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
    for name, default in known.items():
        value = getattr(given, name)
        if (
            value != default
            and value != record[name]
            and name not in ("device", "backend", "model")
        ):
            raise UserError(
                f"{run.folder} was begun with {name} {record[name]}, not {value}: leave it out to resume"
            )
    return Retrieval(**{**record, "device": given.device, "backend": given.backend})


def _opening(recipe: Resolved, model: models.SequenceModel) -> str:
    weights = sum(weight.numel() for weight in model.parameters())
    return (
        f"{recipe.model}: {recipe.hidden} hidden units, {weights:,} weights, backend {backend_of(model)};"
        f" retrieval of {recipe.pairs} pairs, {recipe.steps:,} steps of {recipe.batch}"
    )


def _say(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
