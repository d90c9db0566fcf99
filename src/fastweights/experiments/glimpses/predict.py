"""Ask a trained run about images of the test split by their numbers, or test it on a whole split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.glimpses.options import GlimpsesTest
from fastweights.experiments.glimpses.plan import GlimpsesPlan
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import progress_bar
from fastweights.models import SequenceModel
from fastweights.tasks import Glimpses
from fastweights.training import Outcome
from fastweights.training.sources.supervised import answers


def evaluate(model: SequenceModel, plan: GlimpsesPlan, outcome: Outcome) -> Evaluation:
    """Test a trained model, and answer the first five images."""
    task = plan.task()
    tested = measure(model, task, "test")
    figures = {
        "reading": plan.reading,
        "features": plan.features,
        **{f"test_{name}": tested[name] for name in tested if name != "split"},
        "validation_error_percent": 100 * (1 - outcome.metrics["accuracy"]),
    }
    return Evaluation(figures, [answer(model, task, str(number)) for number in range(5)])


def ask(folder: Path, data_dir: Path | None = None) -> Callable[[str], Record]:
    """Load a run that classifies images of the test split, named by their numbers from 0.

    Returns:
        a function from a number to: `image`, `answer`, its `probability`, the `truth`, `beliefs`: after each glimpse
        the likeliest digit with its probability, and `attention`: for each glimpse, the share of the last read that
        came from what its step wrote (magnitudes, adding up to 1, or all 0 where η = 0; empty for a model that does
        not attend).
    """
    run = open_run(folder, data_dir)
    return lambda number: answer(run.model, run.task, number)


def test(folder: Path, options: GlimpsesTest) -> Record:
    """Test a run on a whole split, the test split if none is given."""
    run = open_run(folder, options.data_dir)
    about = {"features": run.config["model"]["hidden"], "reading": run.task.reading}
    return {**run.about(), **about, **measure(run.model, run.task, options.split or "test")}


def measure(model: SequenceModel, task: Glimpses, split: str) -> Record:
    """Measure a model on a split."""
    examples = task.split(split)
    with progress_bar(f"{split} split", "images", len(examples.answer)) as on_progress:
        logits = answers(model, task, examples, on_progress=on_progress).float()
    figures = task.metrics(logits, examples)
    accuracy = figures["accuracy"]
    assert isinstance(accuracy, float)
    return {
        "split": split,
        "images": len(examples.answer),
        "error_percent": 100 * (1 - accuracy),
        **figures,
        "confusion": task.confusion(logits, examples).tolist(),
    }


@torch.no_grad()
def answer(model: SequenceModel, task: Glimpses, number: str) -> Record:
    """Classify one image of the test split."""
    model.eval()
    examples = task.encode(number)
    inputs = task.inputs(examples).to(next(model.parameters()).device)
    trace = model.trace(inputs, memory_steps=())
    probabilities, digits = trace.output[0].float().softmax(-1).max(-1)
    attention: list[float] = []
    if trace.read_weights is not None:
        magnitudes = trace.read_weights[0, -1, -1].abs()
        attention = (magnitudes / magnitudes.sum().clamp(min=1e-30)).tolist()
    return {
        "image": int(number),
        "answer": int(digits[-1]),
        "probability": float(probabilities[-1]),
        "truth": int(examples.answer[0]),
        "beliefs": [
            {"answer": int(digit), "probability": float(probability)}
            for digit, probability in zip(digits, probabilities, strict=True)
        ],
        "attention": attention,
    }
