"""Ask a trained run: answers with probabilities and attention for typed sequences, or a test on other lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fastweights.errors import check_count, check_seed
from fastweights.experiments.loaded_run import open_run
from fastweights.models import SequenceModel
from fastweights.tasks.retrieval import Retrieval

TEST_OPTIONS = ("samples", "pairs", "seed")
"""What `test` takes beside the run."""

DATA_OPTIONS = ()
"""What `ask` and `test` need to find the task's data: this task makes its own."""

PIPED = "lines"
"""Where no questions are given, each line of standard input is one."""

TEST_SEED = 2**31
"""Added to a recipe's seed for its test sequences, far from the seeds of training and evaluation data."""


MOST_SAMPLES = 1_000_000
"""Sequences of a test, which are drawn at once: they fit any machine that trains, and tell a rate to .0001."""


@torch.no_grad()
def examine(
    model: SequenceModel, task: Retrieval, samples: int, seed: int
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


@torch.no_grad()
def ask(folder: Path, sequences: Sequence[str]) -> list[dict[str, Any]]:
    """Answer typed sequences.

    Args:
        folder: a run of the task retrieval.
        sequences: such as `c9k8j3f1??c`; of any number of pairs, in the form the run was trained on.

    Returns:
        for each sequence: `answer`, its `probability`, and `attention`: for each step, the share of the last read
        that came from what that step wrote (magnitudes, adding up to 1; empty for a model that does not attend).

    Raises:
        UserError: naming the first sequence that cannot be answered, and why.
    """
    run = open_run(folder)
    encoded = [run.task.encode(sequence) for sequence in sequences]
    return [
        {"sequence": sequence, **_answer(run.model, tokens)}
        for sequence, tokens in zip(sequences, encoded, strict=True)
    ]


def _answer(model: Any, tokens: torch.Tensor) -> dict[str, Any]:
    trace = model.trace(tokens[None])
    probability, answer = trace.output[0, -1].softmax(-1).max(-1)
    attention: list[float] = []
    if trace.read_weights is not None:
        magnitudes = trace.read_weights[0, -1, -1].abs()
        attention = (magnitudes / magnitudes.sum().clamp(min=1e-30)).tolist()
    return {"answer": str(int(answer)), "probability": float(probability), "attention": attention}


def test(
    folder: Path, *, pairs: int | None = None, samples: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Test a run on fresh sequences, of its own number of pairs or another.

    Args:
        folder: a run of the task retrieval.
        pairs: pairs of the test sequences, 1 to 26; None: those it was trained on.
        samples: how many sequences; None: 20,000.
        seed: of the sequences.

    Raises:
        UserError: if the folder is no such run, or a number is out of range.
    """
    samples = 20_000 if samples is None else samples
    check_count("samples", samples, MOST_SAMPLES)
    check_seed(seed)
    run = open_run(folder)
    task = run.task
    other = Retrieval(
        task.pairs if pairs is None else pairs, form=task.form, repeat_keys=task.repeat_keys
    )
    tested, _ = examine(run.model, other, samples, TEST_SEED + seed)
    return {
        "out": str(folder),
        "model": run.config["model"]["name"],
        "trained_pairs": task.pairs,
        "pairs": other.pairs,
        "form": other.form,
        "seed": seed,
        **tested,
    }
