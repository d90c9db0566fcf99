"""Test a model on catbAbI: a whole split in its fixed order, and a few of its questions to look at."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from fastweights import state as states
from fastweights.data import babi_files
from fastweights.errors import Note, UserError
from fastweights.experiments.catbabi.plan import ON_RELEASE, CatBAbIPlan, released
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.plan import Record
from fastweights.experiments.terminal import progress_bar
from fastweights.models import SequenceModel
from fastweights.tasks import CatBAbI
from fastweights.training import Outcome, evaluate_stream

LONG = 1000
"""Steps of a segment where one row reads the whole split: the longer, the less is done a segment."""

LENGTH = 200
"""Steps of a segment where many rows do."""

RELEASED = (
    *("accuracy", "perplexity", "answers", "accuracy_without_task_3"),
    *("per_task_accuracy", "per_task_perplexity", "notes"),
)
"""Figures of a test on the release's split, recorded besides where the stories of training were generated."""

RULES_NOTE = (
    "learnt from generated stories, whose rules were read off the release, its test file included; of task 4 most of"
    " the release's stories are among them"
)


def evaluate(model: SequenceModel, plan: CatBAbIPlan, outcome: Outcome) -> Evaluation:
    """Test on the whole test split and on validation text, from the zero state.

    The validation text is read whole where the test split is read in one row, and otherwise as in training.

    Returns:
        the figures to record, and the first questions of the test's first stories with their answers.
    """
    task, rows = plan.task(), plan.test_rows
    start = time.perf_counter()
    test = measure(model, task, "test", rows)
    seconds = time.perf_counter() - start
    valid = measure(model, task, "valid", 64, limit=None if rows == 1 else plan.validation_segments)
    state = model.initial_state(1)
    figures = {
        "mode": plan.mode,
        "notes": list(task.notes),
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
    release = measure_release(model, task, "test", rows, plan.data_dir)
    if release is not None:
        figures |= {f"{ON_RELEASE}{name}": release[name] for name in RELEASED}
        figures[f"{ON_RELEASE}accuracy_percent"] = 100 * release["accuracy"]
    return Evaluation(figures, list(_first_questions(model, task)))


def measure(
    model: SequenceModel, task: CatBAbI, split: str, rows: int, *, limit: int | None = None
) -> Record:
    """Measure a model on a split, with a bar on a terminal; on its first segments only, if there is a `limit`.

    Returns:
        what `fastweights.tasks.Score` measures: accuracy, perplexity, each task's.
    """
    segments = task.segments(split, rows, LONG if rows == 1 else LENGTH)[:limit]
    score = task.score()
    with progress_bar(f"{split} split", "segments", len(segments)) as on_progress:
        return dict(evaluate_stream(model, score, segments, on_progress=on_progress))


def measure_release(
    model: SequenceModel, task: CatBAbI, split: str, rows: int, data_dir: str | Path | None
) -> Record | None:
    """Measure a model that knows the words of generated stories on the release's split, where it is at hand.

    Returns:
        what `measure` does, with `notes`; None for other stories, or where no release is found.
    """
    if not task.made:
        return None
    try:
        babi_files.find(data_dir)
    except UserError:
        return None
    try:
        release = released(task.tasks, data_dir, task.vocabulary)
    except UserError as error:
        warnings.warn(Note(f"not tested on the release: {error}"), stacklevel=2)
        return None
    return {"notes": [*release.notes, RULES_NOTE], **measure(model, release, split, rows)}


def _first_questions(model: SequenceModel, task: CatBAbI, count: int = 5) -> Iterator[Record]:
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
    """Return the words from the last full stop, answer or end of a story on."""
    ends = [place + 1 for place, word in enumerate(words[:-1]) if word in (".", "<eos>")]
    ends += [place + 2 for place, word in enumerate(words[:-1]) if word == "?"]
    return words[max(ends, default=0) :]
