"""Scenarios for one of several processes, as torchrun would start it; what came of each goes to FOLDER/rank-R.json.

python parallel.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from corpora import Babble
from texts import WORDS, Noise, fwm
from worlds import Recall, agent

from fastweights import models
from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.tasks import Retrieval
from fastweights.training import Averaging, Rollout, Settings, Stream, Supervised, Words, fit
from fastweights.training.engine import distributed

SETTINGS = Settings(steps=6, evaluation_interval=3, clip=0.5)
AVERAGED = replace(SETTINGS, averaging=Averaging(0.5, start=3), keep="validation_perplexity")


def source(mode="qa", batch=4):
    return Stream(Noise(), batch=batch, length=10, mode=mode, validation_rows=2, seed=1)


def words():
    """A text whose third epoch has begun after six steps."""
    return Words(Babble(130), batch=4, length=15, seed=1)


def supervised():
    return Supervised(Retrieval(2), batch=8, validation_size=20, probe_size=0)


def rollout():
    return Rollout(Recall(), agents=6, normalise_advantage=True, test_agents=10, seed=1)


def reader():
    """A model for `supervised`."""
    torch.manual_seed(3)
    config = models.model_config("lstm", input=37, hidden=6, classes=10)
    return models.from_config(config).double()


def forgetful():
    """A model that drops words."""
    torch.manual_seed(3)
    return models.from_config(
        models.model_config(
            "lstm", input=WORDS, hidden=6, classes=WORDS, embedding=5, word_dropout=0.5
        )
    )


def opened(folder):
    """Open a run, made by the first process if it is not there."""
    there = (folder / "config.json").exists()
    return distributed.from_first(lambda: Run.open(folder) if there else Run.create(folder, {}))


def trained(folder, model=None, of=None, settings=SETTINGS, **options):
    """Train, and say what one process saw of it."""
    model = model or fwm().double()
    outcome = fit(model, of or source(), settings, opened(folder), **options)
    weights = b"".join(weight.detach().numpy().tobytes() for weight in model.parameters())
    return {
        "steps": outcome.steps,
        "interrupted": outcome.interrupted,
        "metrics": outcome.metrics,
        "weights": hashlib.sha256(weights).hexdigest(),
    }


def after(steps, ranks):
    """A reason to stop that these processes have after so many steps."""
    asked = iter(range(1000))
    return lambda: next(asked) >= steps and distributed.rank() in ranks


def refusal(action):
    """Say why something was refused."""
    try:
        action()
    except UserError as error:
        return f"{type(error).__name__}: {error}"
    return None


class Poisoned(Stream):
    """A stream whose third loss is NaN in the last process."""

    step = 0

    def next_loss(self, model):
        self.step += 1
        loss, metrics = super().next_loss(model)
        bad = self.step == 3 and distributed.rank() == distributed.world() - 1
        return loss * torch.nan if bad else loss, metrics


def poisoned(folder):
    of = Poisoned(Noise(), batch=4, length=10, validation_rows=2, seed=1)
    return refusal(lambda: trained(folder, of=of))


def other_weights(folder):
    """Each process begins with weights of its own."""
    model = fwm().double()
    with torch.no_grad():
        for weight in model.parameters():
            weight += distributed.rank()
    return trained(folder, model)


def timed(folder):
    """Only the last process has a limit of time."""
    limit = 0.05 if distributed.rank() == distributed.world() - 1 else None
    return trained(folder, settings=replace(SETTINGS, steps=10**6, seconds=limit))


def locked(folder):
    run, other = opened(folder), opened(folder)
    with other.lock if distributed.rank() == 0 else nullcontext():
        return refusal(lambda: fit(fwm(), source(), SETTINGS, run))


def averaged():
    """Three weights: one has a gradient everywhere, one in the last process alone, one nowhere."""
    everywhere, somewhere, nowhere = (torch.zeros(2, requires_grad=True) for _ in range(3))
    rank, last = distributed.rank(), distributed.world() - 1
    everywhere.grad = torch.tensor([1.0, 2.0]) * (rank + 1)
    if rank == last:
        somewhere.grad = torch.tensor([6.0, 8.0])
    weights = [everywhere, somewhere, nowhere]
    readings = distributed.average(weights, {"loss": torch.tensor(10.0 * rank)})
    found = [None if weight.grad is None else weight.grad.tolist() for weight in weights]
    return {"gradients": found, "loss": readings["loss"].item()}


def threads():
    """Name the threads of this process that torch's group has made, where the system tells."""
    tasks = Path("/proc/self/task").glob("*/comm")
    return sorted(name for task in tasks if "gloo" in (name := task.read_text().strip()))


def scenarios(folder):
    return {
        "qa": lambda: trained(folder / "qa"),
        "lm": lambda: trained(folder / "lm", of=source("lm")),
        "words": lambda: trained(folder / "words", of=words(), settings=AVERAGED),
        "supervised": lambda: trained(folder / "supervised", reader(), supervised()),
        "rollout": lambda: trained(folder / "rollout", agent(), rollout()),
        "other weights": lambda: other_weights(folder / "other"),
        "stopped": lambda: trained(folder / "stopped", stop=after(4, {1})),
        "resumed": lambda: trained(folder / "resumed"),
        "dropout": lambda: trained(folder / "dropout", forgetful()),
        "dropout cut": lambda: trained(folder / "cut", forgetful(), stop=after(2, {0})),
        "dropout resumed": lambda: trained(folder / "cut", forgetful()),
        "timed": lambda: timed(folder / "timed"),
        "poisoned": lambda: poisoned(folder / "poisoned"),
        "locked": lambda: locked(folder / "locked"),
        "unequal": lambda: refusal(lambda: source(batch=5)),
        "averaged": averaged,
    }


def main(folder):
    with distributed.joined():
        found = {name: run() for name, run in scenarios(folder).items()}
        rank = distributed.rank()
    found["threads left"] = threads()
    (folder / f"rank-{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
