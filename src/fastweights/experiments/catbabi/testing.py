"""Test a model on catbAbI: a whole split in its fixed order, and a few of its questions to look at."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from fastweights import state as states
from fastweights.models import SequenceModel
from fastweights.tasks import CatBAbI
from fastweights.training import TerminalProgress, evaluate_stream

LONG = 1000
"""Steps of a segment where one row reads the whole split: the longer, the less is done a segment."""

LENGTH = 200
"""Steps of a segment where many rows do."""


def examine(
    model: SequenceModel,
    task: CatBAbI,
    *,
    rows: int,
    validation_segments: int | None = None,
    told: bool = False,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Test on the whole test split and on validation text, from the zero state.

    Args:
        model: in whatever mode.
        task: whose data.
        rows: of the test; in 1 row every story has all the earlier ones behind it, as in the paper.
        validation_segments: of each of 64 rows, how many are read of the validation text; None: all.
        told: show a bar on the terminal.

    Returns:
        the figures to record, and the first questions of the test's first stories with their answers.
    """
    start = time.perf_counter()
    test = scored(model, task, "test", rows, told=told)
    seconds = time.perf_counter() - start
    valid = scored(model, task, "valid", 64, limit=validation_segments, told=told)
    state = model.initial_state(1)
    figures = {
        "test_accuracy": test["accuracy"],
        "test_accuracy_percent": 100 * test["accuracy"],
        "test_perplexity": test["perplexity"],
        "test_accuracy_without_task_3": test["accuracy_without_task_3"],
        "test_answers": test["answers"],
        "test_rows": rows,
        "test_seconds": seconds,
        "validation_accuracy": valid["accuracy"],
        "validation_accuracy_percent": 100 * valid["accuracy"],
        "validation_perplexity": valid["perplexity"],
        "validation_answers": valid["answers"],
        "tasks": list(task.tasks),
        "per_task_accuracy": test["per_task_accuracy"],
        "per_task_perplexity": test["per_task_perplexity"],
        "state_size": sum(tensor.numel() for tensor in states.tensors(state)),
    }
    return figures, list(_first_questions(model, task))


def scored(
    model: SequenceModel,
    task: CatBAbI,
    split: str,
    rows: int,
    *,
    limit: int | None = None,
    told: bool = False,
) -> dict[str, Any]:
    """Score a model on a split; on its first segments only, if there is a `limit`.

    Returns:
        what `fastweights.tasks.Score` measures: accuracy, perplexity, each task's.
    """
    segments = task.segments(split, rows, LONG if rows == 1 else LENGTH)[:limit]
    count = len(segments)
    bar = (
        TerminalProgress(f"{split} split", unit="segments")
        if told and sys.stderr.isatty()
        else None
    )
    if bar:
        bar.start(0, count)
    try:
        found = evaluate_stream(
            model,
            task.score(),
            segments,
            on_progress=(lambda done: bar.update(done, {})) if bar else (lambda done: None),
        )
    finally:
        if bar:
            bar.stop()
    return dict(found)


def _first_questions(
    model: SequenceModel, task: CatBAbI, count: int = 5
) -> Iterator[dict[str, Any]]:
    """Answer the first question of each of the first stories of the test split."""
    model.eval()
    segment = next(iter(task.segments("test", 1, LONG)))
    device = next(model.parameters()).device
    with torch.no_grad():
        logits, _ = model(segment.tokens.to(device))
    probabilities, answers = logits[0].float().softmax(-1).max(-1)
    story = (segment.tokens[0] == task.vocabulary.index("<eos>")).cumsum(0)
    asked = segment.answers[0].nonzero().squeeze(1).tolist()
    first = {int(story[step]): step for step in reversed(asked)}
    for step in sorted(first.values())[:count]:
        words = task.decode(segment.tokens[0, : step + 1]).split()
        yield {
            "question": " ".join(last_sentence(words)),
            "answer": task.vocabulary[int(answers[step])],
            "probability": float(probabilities[step]),
            "truth": task.vocabulary[int(segment.targets[0, step])],
        }


def last_sentence(words: list[str]) -> list[str]:
    """The words from the last full stop, answer or end of a story on."""
    ends = [place + 1 for place, word in enumerate(words[:-1]) if word in (".", "<eos>")]
    ends += [place + 2 for place, word in enumerate(words[:-1]) if word == "?"]
    return words[max(ends, default=0) :]
