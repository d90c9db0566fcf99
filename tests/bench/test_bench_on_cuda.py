"""Benchmarks on a device: refused in one line where there is none, and told by its own clock where there is one."""

import pytest
import torch

from fastweights.bench import BENCHES, delta_memory, fast_weight_rnn, timing
from fastweights.bench.fast_weight_rnn import Shape
from fastweights.errors import UserError

ON_CUDA = [
    name for name, bench in BENCHES.items() if any(o.name == "device" for o in bench.options)
]


@pytest.fixture
def no_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_which_have_a_device():
    assert ON_CUDA == ["fast-weight-rnn", "delta-memory"]


@pytest.mark.parametrize("name", ON_CUDA)
def test_no_device_is_refused_before_anything_runs(name, no_device):
    lines = []
    with pytest.raises(UserError, match="'cuda' is not here: torch finds no CUDA device"):
        BENCHES[name].run(device="cuda", progress=lines.append)
    assert lines == []


@pytest.mark.parametrize("name", ON_CUDA)
def test_another_device_is_refused(name):
    with pytest.raises(UserError, match="mps"):
        BENCHES[name].run(device="mps")


def test_what_is_measured_on_a_device_are_the_ops_alone():
    listed = list(delta_memory.cases_on_cuda())
    assert {case.about["group"] for case in listed} == {"memory", "one key factor"}
    assert not any(case.note.milliseconds or case.note.goals for case in listed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device():
    (row,) = fast_weight_rnn.run([Shape(3, 4, 5)], repeats=2, device="cuda")
    assert row["refused"] == [] and row["peak_share"] is None
    x = torch.randn(4096, 4096, device="cuda")
    found = timing.side_by_side(
        {"one": lambda: x @ x, "four": lambda: x @ x @ x @ x @ x}, device="cuda"
    )
    assert found["one"].median > 0
