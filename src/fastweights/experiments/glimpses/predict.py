"""Ask a run about images of the test split by their numbers, or test it on a whole split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fastweights.experiments.loaded_run import open_run
from fastweights.models import SequenceModel
from fastweights.tasks import Glimpses
from fastweights.training.sources.evaluate import answers

TEST_OPTIONS = ("split",)
"""What `test` takes beside the run."""

DATA_OPTIONS = ("data_dir",)
"""What `ask` and `test` need to find the task's data."""

PIPED = None
"""Where no images are given, the run is tested."""


def ask(folder: Path, numbers: Sequence[str], data_dir: Path | None = None) -> list[dict[str, Any]]:
    """Look at images of the test split.

    Args:
        folder: a run of the task glimpses.
        numbers: of the images, from 0.
        data_dir: where MNIST is; None: where it was in training.

    Returns:
        for each image: `image`, `answer`, its `probability`, the `truth`, `beliefs`: after each glimpse the likeliest
        digit with its probability, and `attention`: for each glimpse, the share of the last read that came from what
        its step wrote (magnitudes, adding up to 1, or all 0 where η = 0; empty for a model that does not attend).

    Raises:
        UserError: if the folder is no such run, MNIST is not there, or there is no image of a number.
    """
    run = open_run(folder, **({} if data_dir is None else {"data_dir": data_dir}))
    return [asked(run.model, run.task, number) for number in numbers]


def test(folder: Path, *, split: str = "test", data_dir: Path | None = None) -> dict[str, Any]:
    """Test a run on a whole split.

    Args:
        folder: a run of the task glimpses.
        split: "train", "valid" or "test".
        data_dir: where MNIST is; None: where it was in training.

    Raises:
        UserError: if the folder is no such run, the split is unknown, or MNIST is not there.
    """
    run = open_run(folder, **({} if data_dir is None else {"data_dir": data_dir}))
    about = {
        "out": str(folder),
        "model": run.config["model"]["name"],
        "features": run.config["model"]["hidden"],
        "reading": run.task.reading,
    }
    return {**about, **scored(run.model, run.task, split)}


def scored(model: SequenceModel, task: Glimpses, split: str) -> dict[str, Any]:
    """Score a model on a split."""
    examples = task.split(split)
    logits = answers(model, task, examples).float()
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
def asked(model: SequenceModel, task: Glimpses, number: str) -> dict[str, Any]:
    """Look at one image of the test split."""
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
