import os

import pytest

from fastweights.runs import Run


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Nothing here outlives a power cut, and many tests write dozens of checkpoints."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {})
