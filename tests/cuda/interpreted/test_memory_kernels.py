"""The memory's kernels for CUDA against the oracle: what is retrieved, the final memory, the gradient of everything.

The interpreter takes time by operation, not by number, so sequences have two blocks of 16 steps and few features.
"""

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
from tensor_cores import emulated
from test_memory_truth import EXACT, SINGLE

from fastweights.oracle.delta_memory_gradcheck import Case

FWM = Case(reads=3, gate="norm")
CUDA = {"backend": "cuda"}
FORMS = [
    FWM,
    Case(reads=2, gate="norm", rule="hebbian"),
    Case(reads=1, gate="norm", norm=False),
    Case(reads=0, gate="norm"),
    Case(reads=2),
    Case(keys=1, gate="norm", norm=False),
]
NAMES = ("keys[0]", "keys[1]", "values", "strength", "queries[0]", "queries[1]", "memory")
SIZES = [((2, 5), (3, 2, 3)), ((1, 19), (4, 17, 4)), ((1, 35), (3, 1, 3))]


def found_at(point, **options):
    return errors(point, *results_and_gradients(point.case, point, **CUDA | options))


def assert_exact(found):
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@pytest.mark.parametrize("case", FORMS, ids=str)
def test_every_form(case):
    assert_exact(found_at(truth(case, (1, 19), (4, 3, 4), scale=SOMETIMES)))


@pytest.mark.parametrize("shape, sizes", SIZES, ids=["less", "two blocks", "three blocks"])
def test_every_number_of_blocks(shape, sizes):
    case = Case(reads=2, gate="norm")
    assert_exact(found_at(truth(case, shape, sizes, carried=False, scale=SOMETIMES)))


@pytest.mark.parametrize("scale", [ALWAYS, NEVER], ids=["always", "never"])
def test_the_clamp(scale):
    assert_exact(found_at(truth(Case(reads=1, gate="norm"), (1, 18), (3, 2, 3), scale=scale)))


@pytest.mark.parametrize("carried", [True, False], ids=["carried", "zero"])
def test_segments(carried):
    """F is made every 9 steps, and gradients flow through it."""
    rows = 2 if carried else 1  # the interpreter runs rows in turn
    point = truth(
        Case(reads=2, gate="norm"), (rows, 19), (3, 2, 3), carried=carried, scale=SOMETIMES
    )
    assert_exact(found_at(point, chunk=9))


def test_values_of_another_size_than_keys():
    assert_exact(found_at(truth(Case(reads=1, gate="norm"), (1, 5), (3, 2, 6))))


@pytest.mark.parametrize("wanted", ["retrieved", "memory"])
def test_a_gradient_from_one_result_alone(wanted):
    point = truth(Case(reads=1, gate="norm"), (1, 5), (3, 2, 3))
    kept = (wanted == "retrieved", wanted == "memory")
    point = point._replace(weights=tuple(w * k for w, k in zip(point.weights, kept, strict=True)))
    results, true = results_and_gradients(point.case, point, backend="reference")
    point = point._replace(results=results, gradients=true)
    leaves = {k: v.clone().requires_grad_() for k, v in point.arguments.items()}
    result = call(point.case, leaves, **CUDA)[not kept[0]]
    (point.weights[not kept[0]] * result).sum().backward()
    for name, leaf in leaves.items():
        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        assert relative(gradient, true[name]) <= EXACT, name


@pytest.mark.parametrize("front", [True, False], ids=["front", "behind"])
def test_masks(front):
    """A memory of norm above 1 is not clamped at a padded step, and NaN there reaches nothing."""
    point = truth(Case(reads=2, gate="norm"), (2, 19), (3, 2, 3), scale=ALWAYS)
    mask = torch.arange(19) >= torch.tensor([[3], [0]])
    mask = mask if front else mask.flip(1)
    read_mask = torch.arange(19).expand(2, -1) % 3 > 0
    options, results = {"mask": mask, "read_mask": read_mask}, []
    for name in ("reference", "cuda"):
        leaves = {}
        for key, value in point.arguments.items():
            value = value.clone()
            if key != "memory":
                value[~mask] = float("nan")
            leaves[key] = value.requires_grad_()
        results.append(call(point.case, leaves, backend=name, **options))
        sum((w * r).sum() for w, r in zip(point.weights, results[-1], strict=True)).backward()
        results[-1] = (*results[-1], *(leaf.grad for leaf in leaves.values()))
    for found, true in zip(*reversed(results), strict=True):
        assert relative(found, true) <= EXACT


@pytest.mark.parametrize("case", [FWM, Case(keys=1, gate="norm")], ids=str)
def test_single_precision_on_tensor_cores(case):
    """With every product emulated as three of TF32; a product left at Triton's default would be of one."""
    point = truth(case, (1, 19), (4, 3, 4), scale=SOMETIMES)
    with emulated() as asked:
        found = errors(point, *results_and_gradients(case, point, torch.float32, **CUDA))
    assert asked == {"tf32x3"}
    assert max(found.values()) <= SINGLE, found


def test_half_precision_in_and_single_for_the_state():
    point = truth(FWM, (1, 5), (3, 2, 3))
    half = {name: value.bfloat16() for name, value in point.arguments.items()}
    retrieved, memory = call(FWM, half, **CUDA)
    true, _ = call(FWM, {name: value.double() for name, value in half.items()}, backend="reference")
    assert (retrieved.dtype, memory.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(retrieved, true.bfloat16(), rtol=0.02, atol=0.02)


def test_the_operators_are_what_torch_takes_them_for():
    """Shapes of fake tensors, no aliases, nothing changed: what `torch.compile` builds on."""
    from fastweights.ops.delta_memory.cuda.product.run import Arguments, fused_product

    given = truth(Case(reads=2, gate="norm"), (1, 5), (3, 2, 3)).arguments
    tensors = [given[name].clone().requires_grad_() for name in NAMES]
    call = Arguments(*tensors, None, delta=True, clamp=True, norm=True, segment=3, eps=1e-5)
    checks = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(fused_product.forward_operator, tuple(call), test_utils=checks)


def test_nan_is_kept():
    """A value that is not finite shows in what is read after it: the clamp must not hide it."""
    arguments = dict(truth(FWM, (1, 5), (3, 2, 3)).arguments)
    arguments["values"] = arguments["values"].clone()
    arguments["values"][0, 2, 0] = float("inf")
    with pytest.raises(ValueError, match="values"):
        call(FWM, arguments, **CUDA)
