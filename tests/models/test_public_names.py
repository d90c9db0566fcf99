"""The flat public namespace: complete, lazy and cheap."""

import subprocess
import sys

import pytest

import fastweights


def python(code):
    """Run code in a fresh interpreter and return what it prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_every_public_name_resolves():
    for name in ("FastWeightRNN", "build", "SequenceModel", "nn", "ops", "tasks", "state", "load"):
        assert name in fastweights.__all__
    for name in fastweights.__all__:
        assert getattr(fastweights, name) is not None
    assert set(dir(fastweights)) >= set(fastweights.__all__)
    for name in ("FastWeightRNN", "FastWeightMemory", "FWMLSTM"):
        assert getattr(fastweights, name) is getattr(fastweights.nn, name)
    assert fastweights.UserError is fastweights.errors.UserError


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        fastweights.nonsense  # noqa: B018


def test_importing_it_imports_nothing_heavy():
    assert python("import sys, fastweights; print('torch' in sys.modules)") == "False"
    heavy = ("numba", "matplotlib", "rich", "tyro", "safetensors")
    code = (
        "import sys, fastweights as f; f.FastWeightRNN, f.build, f.SequenceModel, f.tasks\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert python(code) == "[]"


def test_names_survive_a_star_import():
    assert python("from fastweights import *; print(FastWeightRNN.__name__)") == "FastWeightRNN"
