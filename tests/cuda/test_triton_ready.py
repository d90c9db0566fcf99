"""Whether Triton's kernels run here: each reason in one line, and what runs instead."""

import importlib.metadata
import subprocess
import sys

import pytest
import torch

from fastweights.kernels.triton import ready
from fastweights.ops import dispatch
from fastweights.ops.dispatch import Backend, BackendWarning, Op


@pytest.fixture
def device(monkeypatch):
    """A CUDA device and a known Triton, as far as anyone asks."""
    monkeypatch.setattr(ready, "INTERPRETED", False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "3.7.1")
    ready.available.cache_clear()
    yield
    ready.available.cache_clear()


def test_a_known_triton_on_a_device_is_available(device):
    assert ready.available() is None


def test_no_device(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ready.available() == "there is no CUDA device"


def test_no_triton(device, monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert ready.available() == "Triton is not installed: pip install 'fastweights[cuda]' (Linux)"


@pytest.mark.parametrize("version", ["2.3.1", "3.4.0", "3.8.0", "4.0", "nightly"])
def test_an_unknown_triton(device, monkeypatch, version):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    assert ready.available() == f"Triton {version} is not known; accepted: 3.5 to 3.7"


@pytest.fixture
def toy(monkeypatch):
    """An op with kernels for "meta", which stands for a device, that are unchecked there."""
    monkeypatch.setattr(dispatch, "_ops", {})
    monkeypatch.setattr(dispatch, "_warned", set())

    def run(inputs, _):
        return inputs

    own = Backend("", run, device="meta", unchecked=lambda tensor: f"{ready.UNCHECKED} 9.0")
    return [Op(name, {"own": own, "reference": Backend("", run)}) for name in ("first", "second")]


def test_unchecked_kernels_run_if_asked_for_alone(toy):
    tensor = torch.zeros(1, device="meta")
    assert dispatch.resolve("first", "own", tensor) == "own"
    with pytest.warns(
        BackendWarning, match="'own' of first runs only if asked for by name"
    ) as seen:
        for op in ("first", "second", "first"):
            assert dispatch.resolve(op, "auto", tensor) == "reference"
    assert len(seen) == 1


def test_a_refusal_names_what_runs_instead(toy):
    with pytest.raises(
        dispatch.UserError, match="tensors are on cpu; backend 'auto' runs 'reference'"
    ):
        dispatch.resolve("first", "own", torch.zeros(1))


def test_the_library_does_not_import_triton():
    words = "import sys, fastweights, fastweights.ops.warmup; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words]).returncode == 0
