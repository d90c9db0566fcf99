"""What `Op` does for every op: it chooses backends, gives broken ones up, widens and narrows types."""

import importlib.util
import subprocess
import sys
import warnings
from typing import NamedTuple

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops import dispatch as backend
from fastweights.ops.dispatch import Backend, BackendWarning, Op
from fastweights.ops.neural_memory import Learned, State

X = torch.zeros(2)


class Inputs(NamedTuple):
    x: torch.Tensor


@pytest.fixture
def toy(monkeypatch):
    """An op that doubles, in a table of its own."""
    monkeypatch.setattr(backend, "_ops", {})

    def run(inputs, _):
        return (2 * inputs.x,)

    def enter(**backends):
        return Op(
            "toy",
            {
                name: Backend(f"the {name} one", **{"run": run} | options)
                for name, options in backends.items()
            },
        )

    return enter


def test_auto_takes_the_fastest_that_runs(toy):
    toy(cuda={"device": "cuda"}, cpu={"device": "cpu"}, chunked={}, reference={})
    assert backend.resolve("toy", "auto", X) == "cpu"
    assert backend.resolve("toy", "auto", torch.zeros(2, device="meta")) == "chunked"


def test_what_a_backend_does_not_support_is_passed_over_silently(toy):
    def supports(tensor, *, size):
        return f"size {size} is too large" if size > 3 else None

    toy(cpu={"supports": supports}, reference={})
    assert backend.resolve("toy", "auto", X, size=3) == "cpu"
    assert backend.resolve("toy", "auto", X, size=4) == "reference"
    with pytest.raises(UserError, match="'cpu' cannot run toy: size 4 is too large"):
        backend.resolve("toy", "cpu", X, size=4)


def test_a_broken_backend_is_reported_once(toy):
    toy(cpu={"available": lambda: "no compiler"}, reference={})
    with pytest.warns(BackendWarning, match="'cpu' of toy is not available.*no compiler"):
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


def test_only_what_is_registered_is_offered(toy):
    toy(cpu={}, reference={})
    with pytest.raises(UserError, match="unknown backend 'referense'; did you mean 'reference'"):
        backend.resolve("toy", "referense", X)
    with pytest.raises(UserError, match="unknown backend 'cuda'; accepted: auto, cpu, reference"):
        backend.resolve("toy", "cuda", X)
    assert backend.names("toy") == ("auto", "cpu", "reference")


def test_describe(toy):
    toy(cpu={"available": lambda: "no compiler"}, reference={})
    assert backend.describe("toy")["reference"] == "the reference one; ready"
    assert backend.describe()["toy/cpu"] == "the cpu one; not available: no compiler"


def test_plain_pytorch_on_cuda_is_reported_once(toy):
    double = toy(cpu={"device": "cpu"}, reference={})
    with FakeTensorMode(), pytest.warns(BackendWarning, match="toy runs in plain PyTorch") as seen:
        for _ in range(2):
            double(Inputs(torch.zeros(2, device="cuda")), None, facts={})
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        double(Inputs(X), None, facts={})


def fail(*_):
    raise backend.Unavailable("forward: unsupported target")


def test_a_backend_that_turns_out_not_to_run_gives_way(toy):
    double = toy(cpu={"run": fail}, reference={})
    with pytest.warns(BackendWarning, match="unsupported target"):
        (found,) = double(Inputs(torch.ones(3)), None, facts={})
    assert found.tolist() == [2, 2, 2]
    assert backend.resolve("toy", "auto", X) == "reference"


def test_a_backend_that_turns_out_not_to_run_is_an_error_when_asked_for(toy):
    double = toy(cpu={"run": fail}, reference={})
    with pytest.raises(UserError, match="'cpu' cannot run toy: forward: unsupported"):
        double(Inputs(X), None, backend="cpu", facts={})


def test_leading_dimensions_are_folded_into_one(toy):
    shapes = []

    def run(inputs, _):
        shapes.append(tuple(inputs.x.shape))
        return (inputs.x,)

    x = torch.arange(24.0).view(2, 3, 4)
    (found,) = toy(reference={"run": run})(Inputs(x), None, leading=(2, 3), facts={})
    assert torch.equal(found, x) and shapes == [(6, 4)]


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


B, T, H = 2, 3, 4
OUTPUTS = {"fast_weight_rnn": 1, "delta_memory": 1, "lstm": 1, "neural_memory": 2}


def call(op, first, others, backend_name):
    """Run an op on tensors of two types, the sequence's and all others'; return its results one by one."""
    if op == "fast_weight_rnn":
        drive, weight = torch.rand(B, T, H, dtype=first), torch.rand(H, H, dtype=others)
        return ops.fast_weight_rnn(drive, weight, decay=0.9, rate=0.1, backend=backend_name)
    if op == "delta_memory":
        keys, values = torch.rand(B, T, H, dtype=first), torch.rand(B, T, H, dtype=others)
        return ops.delta_memory(
            (keys,), values, values[..., 0], queries=(values,), backend=backend_name
        )
    if op == "lstm":
        weight = torch.rand(4 * H, H, dtype=others)
        return ops.lstm(torch.rand(B, T, 4 * H, dtype=first), weight, backend=backend_name)
    shapes = [(4 * H, H + 2), (8, H), (8,), (1, 2), (1,), (6, 2), (6,)]
    learned = Learned(*(torch.rand(shape, dtype=others) for shape in shapes))
    shapes = [(B, H), (B, H), (B, 2), (B, 3, 2, 2)]
    state = State(*(torch.zeros(shape, dtype=others) for shape in shapes))
    drive, start = torch.rand(B, T, 4 * H, dtype=first), torch.rand(3, 2, 2, dtype=others)
    found = ops.neural_memory(drive, learned, start, state, backend=backend_name)
    return *found[:4], *found.state


SINGLE, DOUBLE, HALF = torch.float32, torch.float64, torch.bfloat16


@pytest.mark.parametrize(
    "first, others, autocast, output, state",
    [
        (HALF, HALF, False, HALF, SINGLE),
        (DOUBLE, DOUBLE, False, DOUBLE, DOUBLE),
        (SINGLE, SINGLE, True, HALF, SINGLE),
        (HALF, SINGLE, True, HALF, SINGLE),
        (SINGLE, HALF, True, HALF, SINGLE),
        (HALF, HALF, True, HALF, SINGLE),
        (DOUBLE, SINGLE, True, DOUBLE, DOUBLE),
        (SINGLE, DOUBLE, True, DOUBLE, DOUBLE),
        (DOUBLE, DOUBLE, True, DOUBLE, DOUBLE),
    ],
)
@pytest.mark.parametrize("op", OUTPUTS)
def test_one_rule_for_types_in_every_op(op, first, others, autocast, output, state, unchecked):
    for name in backend.names(op):
        if name == "auto" or backend.unavailable(op, name) is not None:
            continue
        with torch.autocast("cpu", HALF, enabled=autocast):
            results = call(op, first, others, name)
        wanted = [output] * OUTPUTS[op] + [state] * (len(results) - OUTPUTS[op])
        assert [x.dtype for x in results] == wanted, name
