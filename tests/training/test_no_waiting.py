"""A training step asks the device for no number and moves nothing to the host: on a GPU it would wait for all before.

No device is needed: what Python may only learn by waiting is refused while a step runs on the processor, which has no
other way to look at a tensor. Batches that are made on the processor, on purpose, are let through.
"""

import dataclasses
import sys

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fastweights.experiments import runner
from fastweights.experiments.catbabi import CATBABI, CatBAbIOptions
from fastweights.experiments.catch import CATCH, CatchOptions
from fastweights.experiments.glimpses import GLIMPSES, GlimpsesOptions
from fastweights.experiments.metro_map import METRO_MAP, MetroMapOptions
from fastweights.experiments.retrieval import RETRIEVAL, RetrievalOptions
from fastweights.experiments.text import TEXT, TextOptions
from fastweights.runs import Run
from fastweights.training.engine import fit, meter, step
from fastweights.training.sources import stream

LOOKS = ("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__")
"""Methods of a tensor that wait for its numbers."""
OPERATORS = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique2"}
"""Operators that do, or whose result's size does."""
ON_THE_PROCESSOR = ("tasks/babi/", "tasks/catbabi.py", "tasks/streams.py", "tasks/text.py")
"""Where batches are made before they go to the device."""
IF_ON_THE_PROCESSOR = {
    ("training/engine/optimiser.py", "clip"),
    ("tasks/checks.py", "check_actions"),
    ("training/sources/episodes.py", "play"),
    ("training/sources/stream.py", "_targets"),
    ("training/sources/stream.py", "_logits"),
    ("models/sequence_model.py", "_places"),
}
"""Functions that look themselves only at what is on the processor, on purpose."""


def looker():
    """Return who looked at a tensor: the innermost function of the library; None if it may."""
    frame, found = sys._getframe(2), None
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if "/fastweights/" in path and "/tests/" not in path:
            inside = path.rpartition("/src/fastweights/")[2]
            if inside.startswith(ON_THE_PROCESSOR):
                return None
            if found is None and (inside, name) in IF_ON_THE_PROCESSOR:
                return None
            found = found or f"{inside}:{frame.f_lineno} {name}"
        frame = frame.f_back
    return found


class Watch(TorchDispatchMode):
    """Note every look at a tensor's numbers."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def note(self, what, who):
        if who is not None:
            self.seen.add(f"{what} in {who}")

    def __torch_dispatch__(self, function, types, given=(), named=None):
        name = function.overloadpacket.__name__
        picks = name in ("index", "index_put", "index_put_") and any(
            part is not None and part.dtype == torch.bool for part in given[1]
        )
        if name in OPERATORS or picks:
            self.note(name, looker())
        return function(*given, **(named or {}))


@pytest.fixture
def looks(monkeypatch):
    """What steps look at, once a first step has built everything."""
    seen, steps, step = set(), [], fit._Training._step

    def watched(training):
        steps.append(training)
        with monkeypatch.context() as patch, Watch() as watch:
            for name in LOOKS:
                own = getattr(Tensor, name)

                def look(tensor, *given, _own=own, _name=name, **named):
                    watch.note(_name, looker())
                    return _own(tensor, *given, **named)

                patch.setattr(Tensor, name, look)
            step(training)
        seen.update(watch.seen)

    monkeypatch.setattr(fit._Training, "_step", watched)
    # As on a device: readings are fetched many steps at a time.
    monkeypatch.setattr(fit, "Meter", lambda hold: meter.Meter(hold=fit._HELD_ON_DEVICE))
    yield seen
    assert len(steps) > 1


AGENTS = ("catch", "metro-map")
COMMON = {"backend": "chunked"}


def recipes(mnist_files, text_files):
    return {
        "retrieval": (RETRIEVAL, RetrievalOptions(steps=2, hidden=4, batch=4, test_samples=4, **COMMON)),
        "catbabi": (
            CATBABI,
            CatBAbIOptions(
                hidden=8, embedding=6, memory_size=4, steps=2, length=30, batch=2, tasks=(1,),
                names="any", pool=3, **COMMON,
            ),
        ),
        "glimpses": (
            GLIMPSES,
            GlimpsesOptions(
                data_dir=mnist_files, features=4, glimpse_layer=4, steps=2, batch=4, **COMMON
            ),
        ),
        "catch": (
            CATCH,
            CatchOptions(
                size=5, visible=2, hidden=6, agents=4, updates=2, evaluation_episodes=4,
                test_episodes=4, **COMMON,
            ),
        ),
        "metro-map": (
            METRO_MAP,
            MetroMapOptions(
                hidden=6, memory_size=4, graphs=6, horizon=4, updates=2, agents=4, test_episodes=4, **COMMON
            ),
        ),
        "text": (
            TEXT,
            TextOptions(
                data=text_files, model="awd-lstm", embedding=6, hidden=8, batch=4, length=20, epochs=1
            ),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["retrieval", "catbabi", "glimpses", "catch", "metro-map", "text"])
def test_a_step_waits_for_no_number(name, looks, mnist_files, text_files, tmp_path, unsynced):
    experiment, options = recipes(mnist_files, text_files)[name]
    runner.train(experiment, options, tmp_path / "run")
    assert looks == set()


@pytest.mark.parametrize("name", ["retrieval", "catbabi", "glimpses", "catch", "metro-map", "text"])
def test_a_step_can_be_recorded(name, tape, mnist_files, text_files, tmp_path, monkeypatch):
    """With graphs on a tape: what no graph can hold is refused, and replays train as steps without do."""
    monkeypatch.setattr(stream, "_multiple", lambda device: 64)
    experiment, options = recipes(mnist_files, text_files)[name]
    longer = {"epochs": 3} if name == "text" else {"updates" if name in AGENTS else "steps": 9}
    options = dataclasses.replace(options, **longer)
    rows = []
    for graph in (False, True):
        torch.manual_seed(0)
        folder = tmp_path / f"{graph}"
        runner.train(experiment, options, folder, graph=graph)
        rows.append(Run.open(folder).metrics()[-1])
    (recorder,) = tape
    assert recorder.records >= 1 and recorder.replays >= 3
    without, replayed = rows
    for key in ("train_loss", "train_gradient_norm"):
        assert replayed[key] == pytest.approx(without[key], rel=1e-4), key


def test_a_look_is_seen(looks, monkeypatch, mnist_files, text_files, tmp_path, unsynced):
    norm = step.global_norm
    monkeypatch.setattr(
        step, "global_norm", lambda gradients: norm([g * float(g.sum() > 0) for g in gradients])
    )
    experiment, options = recipes(mnist_files, text_files)["retrieval"]
    runner.train(experiment, options, tmp_path / "run")
    assert any("engine/step.py" in look for look in looks)
