"""The fused fast-weights RNN against the equations written out: A explicit, one step at a time, autograd."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.kernels import compile as compiling
from fastweights.ops.fast_weight_rnn import cpu
from fastweights.ops.fast_weight_rnn.cpu_ops import forward_op

pytestmark = pytest.mark.skipif(cpu.available() is not None, reason=str(cpu.available()))

TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}


def truth(
    drive, recurrent_weight, *, decay, rate, norm_weight, norm_bias, preliminary_norm_weight, preliminary_norm_bias,
    hidden, memory, inner_steps, nonlinearity, form, norm_eps,
):  # fmt: skip
    batch, time, size = drive.shape
    f = {"relu": torch.relu, "tanh": torch.tanh}[nonlinearity]

    def norm(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return y if weight is None else layer_norm(y, (size,), weight, bias, norm_eps)

    h = drive.new_zeros(batch, size) if hidden is None else hidden
    A = drive.new_zeros(batch, size, size) if memory is None else memory
    outputs = []
    for t in range(time):
        z = drive[:, t] + h @ recurrent_weight.T
        if form == "inner":
            h = f(norm(z, preliminary_norm_weight, preliminary_norm_bias))
        for _ in range(inner_steps):
            h = f(norm(z + torch.einsum("bij,bj->bi", A, h), norm_weight, norm_bias))
        A = decay * A + rate * torch.einsum("bi,bj->bij", h, h)
        outputs.append(h)
    return torch.stack(outputs, 1)


def arguments(
    batch=5, time=7, size=9, *, norm=True, preliminary=False, state=False, learned=True, dtype=torch.float64,
    inner_steps=1, nonlinearity="relu", form="inner", seed=0,
) -> tuple[dict, dict]:  # fmt: skip
    """Random tensors (all leaves) and the options."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + mean
        return x.to(dtype).requires_grad_()

    tensors = {
        "drive": leaf(batch, time, size),
        "recurrent_weight": leaf(size, size, scale=0.5 / size**0.5),
        "decay": leaf(scale=0.05, mean=0.9) if learned else 0.9,
        "rate": leaf(mean=0.4 if norm else 0.1 / size, scale=0.001) if learned else 0.3 / size,
        "norm_weight": leaf(size, scale=0.2, mean=1.0) if norm else None,
        "norm_bias": leaf(size, scale=0.1) if norm else None,
        "preliminary_norm_weight": leaf(size, scale=0.2, mean=1.0) if preliminary else None,
        "preliminary_norm_bias": leaf(size, scale=0.1) if preliminary else None,
        "hidden": leaf(batch, size) if state else None,
        "memory": leaf(batch, size, size, scale=0.3 / size**0.5) if state else None,
    }
    options = {
        "inner_steps": inner_steps,
        "nonlinearity": nonlinearity,
        "form": form,
        "norm_eps": 1e-5,
    }
    return tensors, options


def differentiate(function, tensors: dict, direction: Tensor, **options) -> dict[str, Tensor]:
    """Outputs and every gradient, the latter contracted with a fixed direction."""
    leaves = {
        name: value.detach().clone().requires_grad_() if isinstance(value, Tensor) else value
        for name, value in tensors.items()
    }
    outputs = function(**leaves, **options)
    outputs.backward(direction)
    results = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in leaves.items()
        if isinstance(value, Tensor)
    }
    return {"outputs": outputs.detach(), **results}


def check(tensors: dict, options: dict, chunk: int | None = None) -> None:
    dtype = tensors["drive"].dtype
    direction = torch.randn(tensors["drive"].shape, generator=torch.Generator().manual_seed(1))
    expected = differentiate(truth, tensors, direction.to(dtype), **options)
    found = differentiate(cpu.run, tensors, direction.to(dtype), **options, chunk=chunk)
    for name, value in expected.items():
        scale = max(1.0, value.abs().max().item())
        error = (found[name] - value).abs().max().item() / scale
        assert error <= TOLERANCE[dtype], f"{name}: {error:.1e}"


@pytest.mark.parametrize(
    ("size", "time", "batch"),
    [(1, 1, 1), (7, 11, 3), (20, 11, 16), (50, 11, 33), (100, 11, 9), (8, 64, 5), (33, 5, 17)],
)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sizes(size, time, batch, dtype):
    check(*arguments(batch, time, size, dtype=dtype))


@pytest.mark.parametrize(
    ("nonlinearity", "norm", "preliminary", "inner_steps"),
    list(itertools.product(["relu", "tanh"], [True, False], [True, False], [1, 2, 3])),
)
def test_flags(nonlinearity, norm, preliminary, inner_steps):
    flags = {"nonlinearity": nonlinearity, "inner_steps": inner_steps}
    check(*arguments(norm=norm, preliminary=preliminary, state=True, **flags), chunk=3)


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("chunk", [3, None])
def test_flat_form(nonlinearity, norm, state, chunk):
    flags = {"nonlinearity": nonlinearity, "norm": norm, "state": state}
    check(*arguments(form="flat", **flags), chunk=chunk)


@pytest.mark.parametrize("chunk", [1, 2, 5, 13, 20])
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_chunks(chunk, state, learned):
    check(*arguments(9, 13, 21, state=state, learned=learned, inner_steps=2), chunk=chunk)


@pytest.mark.parametrize("chunk", [8, 32])
def test_long_sequences_in_single_precision(chunk):
    check(*arguments(17, 64, 24, dtype=torch.float32), chunk=chunk)


@pytest.mark.parametrize("given", ["hidden", "memory"])
def test_one_state_without_the_other(given):
    tensors, options = arguments(state=True)
    tensors["hidden" if given == "memory" else "memory"] = None
    check(tensors, options)


def test_rows_of_a_batch_do_not_see_each_other():
    tensors, options = arguments(19, 6, 10, learned=False)
    whole = cpu.run(**tensors, **options)
    alone = cpu.run(**(tensors | {"drive": tensors["drive"][4:5]}), **options)
    assert torch.equal(whole[4:5], alone)


def test_strides_do_not_matter():
    tensors, options = arguments(4, 5, 6, state=True)
    strided = {
        name: value.mT.contiguous().mT if isinstance(value, Tensor) and value.dim() > 1 else value
        for name, value in tensors.items()
    }
    assert torch.equal(cpu.run(**tensors, **options), cpu.run(**strided, **options))


def test_nan_stays_in_its_row_and_reaches_the_output():
    tensors, options = arguments(3, 4, 5, learned=False)
    with torch.no_grad():
        tensors["drive"][1, 2, 0] = float("nan")
    outputs = cpu.run(**tensors, **options)
    assert outputs.isnan().any(2).tolist() == [[False] * 4, [False, False, True, True], [False] * 4]


def test_no_gradient_reaches_back_where_the_outputs_are_unused():
    tensors, options = arguments()
    outputs = cpu.run(**tensors, **options)
    node = outputs.grad_fn
    assert node is not None
    assert all(gradient is None for gradient in node.apply(None, None))


def test_only_what_requires_a_gradient_gets_one():
    tensors, options = arguments(state=True)
    frozen = {name: value.detach() for name, value in tensors.items() if isinstance(value, Tensor)}
    for name, value in frozen.items():
        leaf = value.clone().requires_grad_()
        outputs = cpu.run(**(tensors | frozen | {name: leaf}), **options)
        outputs.square().sum().backward()
        assert leaf.grad is not None
        assert leaf.grad.abs().max() > 0, name
    assert not cpu.run(**(tensors | frozen), **options).requires_grad


def test_a_second_derivative_is_refused_clearly():
    tensors, options = arguments()
    outputs = cpu.run(**tensors, **options)
    (gradient,) = torch.autograd.grad(outputs.sum(), tensors["drive"], create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.sum().backward()


def test_the_same_bits_every_time_and_with_any_number_of_threads():
    tensors, options = arguments(70, 12, 23, state=True, dtype=torch.float32)
    direction = torch.randn(70, 12, 23, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 1, 2):
            torch.set_num_threads(count)
            results.append(differentiate(cpu.run, tensors, direction, **options, chunk=5))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for name, value in results[0].items():
            assert torch.equal(value, other[name]), name


def test_concurrent_callers_do_not_disturb_each_other():
    cases = [arguments(20 + k, 9, 10 + k, seed=k, learned=False) for k in range(4)]
    alone = [cpu.run(**tensors, **options) for tensors, options in cases]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda case: cpu.run(**case[0], **case[1]), cases * 5)
        for k, outputs in enumerate(together):
            assert torch.equal(outputs, alone[k % 4])


def operator_arguments(**kinds) -> tuple:
    tensors, options = arguments(4, 5, 6, **kinds)
    decay, rate = tensors.pop("decay"), tensors.pop("rate")
    learned = isinstance(decay, Tensor)
    scalars = (decay, rate, 0.0, 0.0) if learned else (None, None, decay, rate)
    tanh, flat = options["nonlinearity"] == "tanh", options["form"] == "flat"
    return (*tensors.values(), *scalars, options["inner_steps"], tanh, flat, 1e-5, 3)


@pytest.mark.parametrize(
    "kinds",
    [
        {"state": True, "preliminary": True, "inner_steps": 2},
        {"learned": False, "norm": False, "nonlinearity": "tanh"},
        {"form": "flat", "dtype": torch.float32},
    ],
    ids=["everything", "bare", "flat"],
)
def test_the_operator_keeps_torchs_contracts(kinds):
    torch.library.opcheck(forward_op, operator_arguments(**kinds))


def test_the_operator_and_the_direct_path_are_one():
    inputs = operator_arguments(state=True)
    leaves = [x for x in inputs if isinstance(x, Tensor)]
    tensors, options = arguments(4, 5, 6, state=True)
    through = forward_op(*inputs)[0]
    direct = cpu.run(**tensors, **options, chunk=3)
    gradients = torch.autograd.grad(through.square().sum(), leaves)
    others = torch.autograd.grad(direct.square().sum(), [tensors[n] for n in ORDER])
    assert torch.equal(through, direct)
    for one, other in zip(gradients, others, strict=True):
        assert torch.equal(one, other)


ORDER = [
    "drive",
    "recurrent_weight",
    "norm_weight",
    "norm_bias",
    "hidden",
    "memory",
    "decay",
    "rate",
]


COMPILED = """
import torch
from fastweights.kernels import compile as compiling
from fastweights.ops.fast_weight_rnn import cpu

gain, bias = torch.ones(6, requires_grad=True), torch.zeros(6, requires_grad=True)

def run(drive, weight, decay):
    return 2 * cpu.run(drive, weight, decay=decay, rate=0.5, norm_weight=gain, norm_bias=bias, chunk=3)

compiled = torch.compile(run, fullgraph=True, backend="aot_eager", dynamic=DYNAMIC)
for time in (5, 7):
    drive = torch.randn(4, time, 6, requires_grad=True)
    inputs = (drive, torch.eye(6, requires_grad=True), torch.tensor(0.9, requires_grad=True))
    outputs, expected = compiled(*inputs), run(*inputs)
    assert torch.equal(outputs, expected)
    found = torch.autograd.grad(outputs.square().sum(), (*inputs, gain))
    truth = torch.autograd.grad(expected.square().sum(), (*inputs, gain))
    assert all(map(torch.equal, found, truth))
print("one graph")
"""


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_into_one_graph(dynamic):
    """In a process of its own: the tests' run-time shape checks cannot be traced."""
    script = COMPILED.replace("DYNAMIC", str(dynamic))
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "one graph\n"


def test_what_the_kernels_cannot_run_is_said():
    assert cpu.supports(torch.zeros(1)) is None
    assert "bfloat16" in cpu.supports(torch.zeros(1, dtype=torch.bfloat16))
    assert "meta" in cpu.supports(torch.zeros(1, device="meta"))


def test_a_kernel_that_fails_makes_the_backend_unavailable(monkeypatch):
    monkeypatch.setattr(compiling, "failures", ["forward does not compile: …"])
    assert cpu.available() == "forward does not compile: …"
