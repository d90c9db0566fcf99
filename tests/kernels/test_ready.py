"""Where kernels cannot run, that is said in a line, and plain PyTorch runs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from fastweights.kernels import compile as compiling
from fastweights.kernels import ready


def test_what_the_kernels_cannot_run_is_said():
    assert ready.supports(torch.zeros(1)) is None
    assert "int64" in ready.supports(torch.zeros(1, dtype=torch.int64))
    assert "meta" in ready.supports(torch.zeros(1, device="meta"))


def test_a_kernel_that_fails_makes_the_backend_unavailable(monkeypatch):
    monkeypatch.setattr(compiling, "failures", ["forward does not compile: …"])
    assert ready.available() == "forward does not compile: …"


CHANGED = """
import importlib
import warnings

module, *path, name = "{place}".split(":")
owner = importlib.import_module(module)
for part in path:
    owner = getattr(owner, part)
delattr(owner, name)

import torch
import fastweights
from fastweights import ops

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        outputs, _, _ = ops.fast_weight_rnn(torch.ones(2, 3, 4), torch.eye(4), decay=0.9, rate=0.5)
    ours = [each for each in caught if each.category is ops.backend.BackendWarning]
assert outputs.isfinite().all()
(warning,) = ours
print(warning.message)
"""


@pytest.mark.parametrize(
    "place",
    [
        "numba.core.codegen:CPUCodeLibrary:_optimize_final_module",
        "numba.core.bytecode:FunctionIdentity:_unique_ids",
        "numba.core.caching:_CacheLocator",
        "numba.core.imputils:lower_getattr_generic",
    ],
)
def test_a_numba_without_one_of_its_internals_is_a_warning_and_plain_pytorch(place):
    result = subprocess.run(
        [sys.executable, "-c", CHANGED.format(place=place)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "'cpu' of fast_weight_rnn is not available, a slower one runs" in result.stdout
    assert place.split(":")[-1] in result.stdout


WITHOUT = """
import importlib.util
import warnings

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba" else found(name, *rest)

import torch
import fastweights

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    y, _ = fastweights.FastWeightRNN(3, 4)(torch.ones(2, 5, 3))
    y, _ = fastweights.FWMLSTM(4, 6, memory_size=2)(y)
print(*(each.message for each in caught), sep="\\n")
"""


def test_without_numba_all_ops_together_warn_once():
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    (line,) = result.stdout.splitlines()
    assert line.endswith("a slower one runs: Numba is not installed")
