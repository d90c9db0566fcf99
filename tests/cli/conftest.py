import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """Nothing here outlives a power cut, and the tests write dozens of checkpoints."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
