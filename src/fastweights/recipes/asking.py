"""Ask a trained run: answers with probabilities and attention for typed sequences, or a test on other lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fastweights import runs, tasks
from fastweights.errors import UserError
from fastweights.recipes.run import TEST_SEED, examine
from fastweights.runs import Run
from fastweights.tasks.retrieval import Retrieval


def open_run(folder: Path) -> tuple[Any, Retrieval, dict[str, Any]]:
    """Load a retrieval run: its model, its task and its config.

    Raises:
        UserError: if the folder is no run, has no checkpoint, or is a run of another task.
    """
    config = Run.open(folder).config
    task = config.get("task")
    if not isinstance(task, dict) or task.get("name") != "retrieval":
        raise UserError(f"{folder} is not a run of the task retrieval")
    return runs.load(folder), tasks.build("retrieval", **task["options"]), config


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
    model, task, _ = open_run(folder)
    encoded = [task.encode(sequence) for sequence in sequences]
    return [
        {"sequence": sequence, **_answer(model, tokens)}
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
    if samples < 1:
        raise UserError(f"samples must be at least 1, not {samples}")
    model, task, config = open_run(folder)
    other = Retrieval(
        task.pairs if pairs is None else pairs, form=task.form, repeat_keys=task.repeat_keys
    )
    tested, _ = examine(model, other, samples, TEST_SEED + seed)
    return {
        "out": str(folder),
        "model": config["model"]["name"],
        "trained_pairs": task.pairs,
        "pairs": other.pairs,
        "form": other.form,
        "seed": seed,
        **tested,
    }
