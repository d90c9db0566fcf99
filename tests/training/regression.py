"""A tiny source and model to hold the engine against a loop written by hand; also a program that trains them.

python regression.py FOLDER STEPS EVALUATION_INTERVAL CHECKPOINT_INTERVAL PAUSE
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from fastweights.runs import Run
from fastweights.training import NoProgress, Optimiser, Schedule, Settings, fit


class Regression:
    """Noisy linear regression, drawn batch by batch; `poison` makes the loss of one step (from 1) NaN."""

    def __init__(self, seed=0, poison=None, pause=0.0):
        self.generator = torch.Generator().manual_seed(seed)
        self.truth = torch.randn(3, 5, generator=torch.Generator().manual_seed(seed + 1))
        self.poison, self.pause, self.step = poison, pause, 0

    def batch(self, generator, count=16):
        x = torch.randn(count, 5, generator=generator)
        return x, x @ self.truth.T + 0.1 * torch.randn(count, 3, generator=generator)

    def next_loss(self, model):
        time.sleep(self.pause)
        self.step += 1
        x, y = self.batch(self.generator)
        loss = F.mse_loss(model(x), y)
        if self.step == self.poison:
            loss = loss * torch.nan
        return loss, {"bias": (y.detach() - y).mean() + y.mean()}

    def evaluate(self, model):
        torch.rand(7)  # evaluations may draw from the global generator: training must not notice
        x, y = self.batch(torch.Generator().manual_seed(99), 64)
        with torch.no_grad():
            return {"error": F.mse_loss(model(x), y).item(), "biases": model[0].bias.tolist()}

    def probe(self, model):
        x, y = self.batch(torch.Generator().manual_seed(98), 8)
        loss = F.mse_loss(model(x), y)
        return {"norm": torch.autograd.grad(loss, model[0].weight)[0].norm().item()}

    def state(self):
        return {"generator": self.generator.get_state()}, {"step": self.step}

    def restore(self, tensors, meta):
        self.generator.set_state(tensors["generator"])
        self.step = meta["step"]


class Stop:
    """Asks to stop once the source has given so many batches."""

    def __init__(self, source, at):
        self.source, self.at = source, at

    def __call__(self):
        return self.source.step >= self.at


class Told(NoProgress):
    """Notes what the engine tells; `stopped` how often it said that it ended."""

    def __init__(self):
        self.begun, self.rows, self.stopped = [], [], 0

    def start(self, step, steps):
        self.begun.append((step, steps))

    def evaluated(self, row):
        self.rows.append(row)

    def stop(self):
        self.stopped += 1


OURS = {
    "adam": Optimiser("adam", 1e-2),
    "adamw": Optimiser("adamw", 1e-2, weight_decay=0.1),
    "rmsprop": Optimiser("rmsprop", 1e-2, betas=(0.9, 0.9)),
    "sgd": Optimiser("sgd", 1e-2, betas=(0.8, 0.999)),
}


def network(dropout=0.2, dtype=torch.float32):
    torch.manual_seed(5)
    layers = nn.Linear(5, 8), nn.Tanh(), nn.Dropout(dropout), nn.BatchNorm1d(8), nn.Linear(8, 3)
    return nn.Sequential(*layers).to(dtype)


def recipe(steps, **changes):
    chosen = {
        "optimiser": Optimiser("adam", 1e-2),
        "schedule": Schedule(5, "cosine"),
        "clip": 0.5,
        "evaluation_interval": 7,
    }
    return Settings(steps, **(chosen | changes))


def timeless(rows):
    times = "seconds", "compile_seconds"
    return [{name: row[name] for name in row if name not in times} for row in rows]


def main(folder, steps, evaluation_interval, checkpoint_interval, pause):
    run = Run.open(folder) if (Path(folder) / "config.json").exists() else Run.create(folder, {})
    settings = recipe(
        int(steps),
        evaluation_interval=int(evaluation_interval),
        checkpoint_interval=int(checkpoint_interval),
    )
    outcome = fit(network(), Regression(pause=float(pause)), settings, run)
    return 130 if outcome.interrupted else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(*sys.argv[1:]))
