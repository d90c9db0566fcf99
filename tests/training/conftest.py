import os

import pytest
from tape import TapeRecorder

from fastweights.runs import Run
from fastweights.training.engine import graphs, settings, step


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Nothing here outlives a power cut, and many tests write dozens of checkpoints."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {})


@pytest.fixture
def tape(monkeypatch):
    """Graphs on the processor, on a tape; the clip looks at no number, as on a device. Yields the recorders."""

    def clip(gradients, norm, limit):
        scale = (limit / (norm + 1e-6)).clamp_(max=1.0)
        for gradient in gradients:
            gradient.mul_(scale)

    recorders = []
    monkeypatch.setattr(
        graphs, "CudaRecorder", lambda device: recorders.append(TapeRecorder()) or recorders[-1]
    )
    monkeypatch.setattr(settings, "_check_graph", lambda device: None)
    monkeypatch.setattr(step, "clip", clip)
    return recorders
