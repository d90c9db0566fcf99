"""Every backend against the oracle: what is retrieved, the final memory, and the gradient of everything."""

import pytest
import torch
from oracle_points import (
    ALWAYS,
    NEVER,
    SOMETIMES,
    call,
    errors,
    relative,
    results_and_gradients,
    truth,
)

from fastweights.oracle.delta_memory_gradcheck import CASES, Case

EXACT = 1e-11
"""Largest relative error in float64, of results and of gradients."""
SINGLE = 1e-4
"""The same in float32: an LN divides by what a read finds, which may be little, and the chain hands the error on."""

FWM = Case(reads=3, gate="norm")
DELTA_NET = Case(keys=1, gate="tensor")
SHAPES = [
    ((1, 1), (4, 3, 4)),
    ((2, 2), (3, 1, 3)),
    ((1, 9), (6, 5, 6)),
    ((17, 4), (4, 4, 4)),
    ((2, 60), (8, 7, 8)),
    ((3, 5), (17, 2, 17)),
]

forms = pytest.mark.parametrize("case", CASES, ids=str)
clamps = pytest.mark.parametrize(
    "scale", [ALWAYS, SOMETIMES, NEVER], ids=["always", "sometimes", "never"]
)


def assert_exact(found):
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@forms
@pytest.mark.parametrize("carried", [True, False], ids=["carried", "zero"])
def test_every_form(case, carried, memory_ways):
    point = truth(case, carried=carried)
    assert_exact(errors(point, *results_and_gradients(case, point, **memory_ways)))


@pytest.mark.parametrize("case", [FWM, DELTA_NET], ids=str)
@pytest.mark.parametrize(
    "shape, sizes", SHAPES, ids=["B{}-T{}-d{}-{}-{}".format(*s, *d) for s, d in SHAPES]
)
def test_every_shape(case, shape, sizes, memory_ways):
    point = truth(case, shape, sizes)
    assert_exact(errors(point, *results_and_gradients(case, point, **memory_ways)))


@pytest.mark.parametrize("case", [c for c in CASES if c.gate == "norm"], ids=str)
@clamps
def test_the_clamp(case, scale, memory_ways):
    point = truth(case, (3, 12), scale=scale)
    found = errors(point, *results_and_gradients(case, point, **memory_ways))
    if memory_ways["backend"] == "cuda":
        # Clamped away at every step it is 1e-6 of the gradients on the way, to which it is exact: the op's README.
        sizes = {name: float(g.norm()) for name, g in point.gradients.items()}
        found["∂memory"] *= sizes["memory"] / max(sizes["memory"], sizes["values"])
    assert_exact(found)


def test_writes_that_would_diverge_unclamped(memory_ways):
    """β ‖k‖² of 50: the paper's write scale with keys from tanh. Only the clamp keeps the memory finite."""
    point = truth(FWM, (2, 40), scale=SOMETIMES)
    large = {k: v * 6 if k.startswith("keys") else v for k, v in point.arguments.items()}
    point = point._replace(arguments=large)
    true, gradients = results_and_gradients(FWM, point, backend="reference")
    point = point._replace(results=true, gradients=gradients)
    assert_exact(errors(point, *results_and_gradients(FWM, point, **memory_ways)))
    eager = errors(point, *results_and_gradients(FWM, point, torch.float32, backend="reference"))
    single = errors(point, *results_and_gradients(FWM, point, torch.float32, **memory_ways))
    assert max(single.values()) <= max(eager.values()), single


@forms
def test_single_precision(case, memory_ways):
    point = truth(case)
    found = errors(point, *results_and_gradients(case, point, torch.float32, **memory_ways))
    assert max(found.values()) <= SINGLE, found


@pytest.mark.parametrize("case", [FWM, DELTA_NET], ids=str)
def test_layer_norm_of_one_feature_has_no_gradient(case, memory_ways):
    """It is 0 whatever is read, and ε makes σ so small that any rounding left would be large."""
    point = truth(case, (3, 5), (1, 3, 1) if case.keys == 2 else (5, 3, 1))
    found, gradients = results_and_gradients(
        case, point._replace(weights=(point.weights[0], 0 * point.weights[1])), torch.float32, **memory_ways
    )  # fmt: skip
    assert not found[0].any()
    assert {name: g for name, g in gradients.items() if g is not None and g.any()} == {}


@pytest.mark.parametrize("gate", [0.0, 1.0, -0.5])
def test_gates_at_their_limits(gate, memory_ways):
    """A gate of 0 forgets all, of 1 nothing; the gradient is exact at both."""
    point = truth(DELTA_NET)
    arguments = dict(point.arguments)
    arguments["gate"] = arguments["gate"].clone()
    arguments["gate"][:, 1::2] = gate
    point = point._replace(arguments=arguments)
    true, gradients = results_and_gradients(DELTA_NET, point, backend="reference")
    point = point._replace(results=true, gradients=gradients)
    assert_exact(errors(point, *results_and_gradients(DELTA_NET, point, **memory_ways)))


@pytest.mark.parametrize("case", [FWM, DELTA_NET], ids=str)
@pytest.mark.parametrize("wanted", ["retrieved", "memory"])
def test_a_gradient_from_one_result_alone(case, wanted, memory_ways):
    point = truth(case)
    kept = (wanted == "retrieved", wanted == "memory")
    point = point._replace(weights=tuple(w * k for w, k in zip(point.weights, kept, strict=True)))
    true = results_and_gradients(case, point, backend="reference")[1]
    found = results_and_gradients(case, point, **memory_ways)[1]
    assert_exact({name: relative(found[name], true[name]) for name in true})


@pytest.mark.parametrize("case", [FWM, DELTA_NET], ids=str)
def test_only_what_is_asked_for_has_a_gradient(case, memory_ways):
    """One argument at a time: its gradient is the one it has among all."""
    point = truth(case)
    true = results_and_gradients(case, point, **memory_ways)[1]
    for name in point.arguments:
        leaf = point.arguments[name].clone().requires_grad_()
        found = call(case, point.arguments | {name: leaf}, **memory_ways)
        sum((w * r).sum() for w, r in zip(point.weights, found, strict=True)).backward()
        assert relative(leaf.grad, true[name]) <= EXACT, name


@pytest.mark.parametrize("case", [FWM, DELTA_NET, Case(reads=2)], ids=str)
def test_writes_need_no_queries(case, memory_ways):
    arguments = truth(case).arguments
    written = {k: v for k, v in arguments.items() if not k.startswith("queries")}
    retrieved, memory = call(case, written, **memory_ways)
    assert not retrieved.any()
    assert relative(memory, call(case, arguments, **memory_ways)[1]) <= EXACT


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@forms
@pytest.mark.parametrize("name", ["reference", "chunked", "auto"])
def test_on_a_gpu(case, name):
    point = truth(case, (3, 40))
    chunk = None if name == "reference" else 16
    found = results_and_gradients(case, point, device="cuda", backend=name, chunk=chunk)
    assert max(errors(point, *found).values()) <= 10 * EXACT
