"""How a backend is chosen, refused and given up."""

import importlib.util
import subprocess
import sys
import warnings

import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops import dispatch as backend

X = torch.zeros(2)


@pytest.fixture
def toy(monkeypatch):
    """An op of its own in a table of its own."""
    monkeypatch.setattr(backend, "_table", {})
    monkeypatch.setattr(backend, "_warned", set())

    def enter(**backends):
        for name, options in backends.items():
            backend.register("toy", name, backend.Backend(f"the {name} one", **options))

    return enter


def test_auto_takes_the_fastest_that_runs(toy):
    toy(reference={}, chunked={}, cpu={"device": "cpu"}, cuda={"device": "cuda"})
    assert backend.resolve("toy", "auto", X) == "cpu"
    assert backend.resolve("toy", "auto", torch.zeros(2, device="meta")) == "chunked"


def test_what_a_backend_does_not_support_is_passed_over_silently(toy):
    def supports(tensor, *, size):
        return f"size {size} is too large" if size > 3 else None

    toy(reference={}, cpu={"supports": supports})
    assert backend.resolve("toy", "auto", X, size=3) == "cpu"
    assert backend.resolve("toy", "auto", X, size=4) == "reference"
    with pytest.raises(UserError, match="'cpu' cannot run toy: size 4 is too large"):
        backend.resolve("toy", "cpu", X, size=4)


def test_a_broken_backend_is_said_once(toy):
    toy(reference={}, cpu={"available": lambda: "no compiler"})
    with pytest.warns(backend.BackendWarning, match="'cpu' of toy is not available.*no compiler"):
        assert backend.resolve("toy", "auto", X) == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend.resolve("toy", "auto", X) == "reference"
    with pytest.raises(UserError, match="'cpu' cannot run toy: no compiler"):
        backend.resolve("toy", "cpu", X)


def test_a_backend_asked_for_on_another_device_is_refused(toy):
    toy(cuda={"device": "cuda"}, reference={})
    with pytest.raises(UserError, match="the tensors are on cpu"):
        backend.resolve("toy", "cuda", X)
    with pytest.raises(UserError, match="there is no cpu backend for toy"):
        backend.resolve("toy", "cpu", X)


def test_names_are_checked(toy):
    toy(reference={})
    with pytest.raises(UserError, match="unknown backend 'referense'; did you mean 'reference'"):
        backend.resolve("toy", "referense", X)
    with pytest.raises(UserError, match="unknown backend 'auto'"):
        backend.register("toy", "auto", backend.Backend("no"))


def test_describe(toy):
    toy(reference={}, cpu={"available": lambda: "no compiler"})
    assert backend.describe("toy")["reference"] == "the reference one; ready"
    assert backend.describe()["toy/cpu"] == "the cpu one; not available: no compiler"
    assert backend.describe()["toy/cuda"] == "not available: there is no cuda backend for toy"


def test_numba_here_means_the_fused_backend_runs():
    if importlib.util.find_spec("numba") is None:
        pytest.skip("Numba is not installed")
    assert backend.describe("fast_weight_rnn")["cpu"].endswith("ready")
    assert backend.resolve("fast_weight_rnn", "auto", torch.zeros(1)) == "cpu"


def test_marked_constant_as_torch_marks_it():
    marked = torch.compiler.assume_constant_result(lambda: None)
    assert vars(marked).items() <= vars(backend.unavailable).items()


@pytest.mark.slow
def test_a_layer_runs_without_importing_the_compiler():
    script = (
        "import sys, torch, fastweights;"
        "fastweights.FastWeightRNN(3, 4, backend='chunked')(torch.ones(1, 2, 3));"
        "print('torch._dynamo' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.fixture
def failing(monkeypatch):
    """The fused kernels fail to compile."""
    import sys

    package = sys.modules["fastweights.ops.fast_weight_rnn"]
    table = {op: dict(entries) for op, entries in backend._table.items()}
    table["fast_weight_rnn"]["cpu"] = backend.Backend("fused", device="cpu")
    monkeypatch.setattr(backend, "_table", table)
    monkeypatch.setattr(backend, "_warned", set())

    def run(*_, **__):
        raise backend.Unavailable("forward: unsupported target")

    monkeypatch.setitem(package.RUNNERS, "cpu", run)


def test_a_kernel_that_does_not_compile_gives_way(failing):
    arguments = (torch.ones(2, 3, 4), torch.eye(4))
    with pytest.warns(backend.BackendWarning, match="unsupported target"):
        found = ops.fast_weight_rnn(*arguments, decay=0.9, rate=0.5)
    true = ops.fast_weight_rnn(*arguments, decay=0.9, rate=0.5, backend="chunked")
    assert all(torch.equal(a, b) for a, b in zip(found, true, strict=True))
    assert ops.fast_weight_rnn(*arguments, decay=0.9, rate=0.5)[0].shape == (2, 3, 4)


def test_a_kernel_that_does_not_compile_is_an_error_when_asked_for(failing):
    with pytest.raises(UserError, match="'cpu' cannot run fast_weight_rnn: forward: unsupported"):
        ops.fast_weight_rnn(torch.ones(2, 3, 4), torch.eye(4), decay=0.9, rate=0.5, backend="cpu")
