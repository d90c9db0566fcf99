"""What the page of a retrieval run holds: the network with its λ and η, and a question to begin with."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from fastweights.experiments.experiment import PageContents
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.retrieval.predict import shown
from fastweights.experiments.terminal import counted
from fastweights.models import SequenceModel
from fastweights.nn import FastWeightRNN
from fastweights.tasks import Retrieval, ceilings
from fastweights.tasks.symbols import LETTERS


def contents(folder: Path) -> PageContents:
    """Return what the page of a run of fast weights holds.

    Raises:
        UserError: if the folder has no run that can be loaded.
    """
    run = open_run(folder)
    task: Retrieval = run.task
    facts = {
        "hidden units": f"{run.config['model']['hidden']:,}",
        "slow weights": f"{sum(each.numel() for each in run.model.parameters()):,}",
        "trained on": counted(task.pairs, "pair"),
    }
    if run.result is not None:
        accuracy, samples = run.recorded("test_accuracy"), run.recorded("test_samples")
        facts["right after training"] = f"{100 * accuracy:.2f} % of {samples:,}"
    return described(run.model, task, facts)


def described(model: SequenceModel, task: Retrieval, facts: dict[str, str]) -> PageContents:
    """Return what the page of a model and its task holds, with facts to show by their names."""
    layer = model.backbone
    assert isinstance(layer, FastWeightRNN)
    record: Record = {
        "page": "retrieval",
        "title": f"A fast weights network, {counted(task.pairs, 'pair')}",
        "facts": [{"label": label, "value": value} for label, value in facts.items()],
        "model": {
            "form": layer.form,
            "nonlinearity": layer.nonlinearity,
            "decay": _number(layer.decay),
            "rate": _number(layer.rate),
            "inner_steps": layer.inner_steps,
        },
        "task": {
            "pairs": task.pairs,
            "form": task.form,
            "ceilings": [float(ceilings.no_binding(pairs)) for pairs in range(1, len(LETTERS) + 1)],
        },
        "shown": shown(task),
    }
    learned = ("backbone.decay", "backbone.rate")  # these stand among the model's numbers
    weights = {name: each for name, each in model.state_dict().items() if name not in learned}
    return PageContents(record, weights)


def _number(value: float | Tensor) -> float:
    """Return λ or η, which may be learned."""
    return value.item() if isinstance(value, Tensor) else value
