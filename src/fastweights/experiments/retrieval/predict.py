"""Ask a trained run: answers with probabilities and attention for typed sequences, or a test on other lengths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from fastweights.errors import check_count, check_seed
from fastweights.experiments.experiment import Evaluation
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.retrieval.options import RetrievalTest
from fastweights.experiments.retrieval.plan import MAX_SAMPLES, RetrievalPlan
from fastweights.experiments.retrieval.question_page import steps_to
from fastweights.experiments.terminal import progress_bar
from fastweights.models import SequenceModel
from fastweights.tasks import Retrieval
from fastweights.training import Outcome

TEST_SEED = 2**31
"""Added to a run's seed for its test sequences, far from the seeds of training and evaluation data."""

SHOWN = "c9k8j3f1??c"
"""The sequence of the paper, shown where a task has its length and form."""


def shown(task: Retrieval) -> str:
    """Return the sequence to look inside with where none is given: the paper's, or one of the task."""
    if len(SHOWN) == task.length:
        return SHOWN
    return task.decode(task.sample(1, torch.Generator().manual_seed(TEST_SEED)).tokens[0])


def evaluate(model: SequenceModel, plan: RetrievalPlan, outcome: Outcome) -> Evaluation:
    """Test a trained model on fresh sequences."""
    tested, samples = measure(model, plan.task(), plan.test_samples, TEST_SEED + plan.seed)
    validation = 100 * (1 - outcome.metrics["accuracy"])
    about = {"pairs": plan.pairs, "form": plan.query, "steps_to": steps_to(outcome.history)}
    return Evaluation({**about, **tested, "validation_error_percent": validation}, samples)


@torch.no_grad()
def measure(model: SequenceModel, task: Retrieval, samples: int, seed: int) -> Evaluation:
    """Test a model on fresh sequences; the samples are the first five questions with their answers."""
    model.eval()
    device = next(model.parameters()).device
    batch = task.sample(samples, torch.Generator().manual_seed(seed))
    parts = []
    with progress_bar("test", "sequences", samples) as on_progress:
        for tokens in batch.tokens.split(2000):
            logits, _ = model(tokens.to(device), last_only=True, need_state=False)
            parts.append(logits.float().cpu())
            on_progress(min(2000 * len(parts), samples))
    logits = torch.cat(parts)
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
    return Evaluation(tested, shown)


def ask(folder: Path, data_dir: Path | None = None) -> Callable[[str], Record]:
    """Load a run that answers typed sequences such as `c9k8j3f1??c`, of any number of pairs, in its form.

    Returns:
        a function from a sequence to: `answer`, its `probability`, and `attention`: for each step, the share of the
        last read that came from what that step wrote (magnitudes, adding up to 1; empty for a model that does not
        attend).
    """
    run = open_run(folder)
    return lambda sequence: {
        "sequence": sequence,
        **_answer(run.model, run.task.encode(sequence)),
    }


@torch.no_grad()
def _answer(model: SequenceModel, tokens: torch.Tensor) -> Record:
    trace = model.trace(tokens[None])
    probability, answer = trace.output[0, -1].softmax(-1).max(-1)
    attention: list[float] = []
    if trace.read_weights is not None:
        magnitudes = trace.read_weights[0, -1, -1].abs()
        attention = (magnitudes / magnitudes.sum().clamp(min=1e-30)).tolist()
    return {"answer": str(int(answer)), "probability": float(probability), "attention": attention}


def test(folder: Path, options: RetrievalTest) -> Record:
    """Test a run on fresh sequences, of its own number of pairs or another."""
    samples, seed = options.samples, options.seed or 0
    samples = 20_000 if samples is None else samples
    check_count("samples", samples, MAX_SAMPLES)
    check_seed(seed)
    run = open_run(folder)
    task = run.task
    pairs = task.pairs if options.pairs is None else options.pairs
    other = Retrieval(pairs, form=task.form, repeat_keys=task.repeat_keys)
    return {
        **run.about(),
        "trained_pairs": task.pairs,
        "pairs": pairs,
        "form": other.form,
        "seed": seed,
        **measure(run.model, other, samples, TEST_SEED + seed).figures,
    }
