"""The fused delta memory against the step-by-step reference: sizes, chunks, masks, threads; laws are in tests/ops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from memory_arguments import MASKS, arguments, call, differentiate

from fastweights.kernels import ready
from fastweights.ops.delta_memory import cpu, reference

pytestmark = pytest.mark.skipif(ready.available() is not None, reason=str(ready.available()))

# Of the difference's norm to the truth's, or to what rounding of numbers of size 1 would give. Outputs, gradients.
TOLERANCE = {torch.float64: (1e-11, 1e-11), torch.float32: (2e-5, 2e-4)}

FORMS = {
    "product": {},
    "even product": {"sizes": (16, 16), "value": 16, "reads": 3, "time": 40},
    "uneven product": {"sizes": (3, 20), "value": 3, "time": 23},
    "one read": {"sizes": (3, 4), "value": 9, "reads": 1},
    "one factor": {"sizes": (9,), "value": 7},
    "even factor": {"sizes": (64,), "value": 64, "time": 40},
    "concat": {"combine": "concat"},
    "concat, one read": {"combine": "concat", "value": 9, "reads": 1},
}
GATES = [None, "norm", True]


def check(tensors: dict, options: dict, chunk: int | None = None, **through) -> None:
    dtype = tensors["values"].dtype
    doubles = {
        name: x if name in MASKS or x is None else x.detach().double()
        for name, x in tensors.items()
    }
    expected = differentiate(reference.run, doubles, options, **through)
    found = differentiate(cpu.run, tensors, options, chunk=chunk, **through)
    for name, truth in expected.items():
        tolerance = TOLERANCE[dtype][name.startswith("∂")]
        error = (found[name].double() - truth).norm() / max(truth.norm(), 1e-2)
        assert error <= tolerance, f"{name}: {error:.1e}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_forms(form, gate, memory, dtype):
    check(*arguments(**FORMS[form], gate=gate, memory=memory, dtype=dtype))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("rule", ["delta", "hebbian"])
@pytest.mark.parametrize("chunk", [3, 8])
def test_chunks(form, gate, rule, chunk):
    check(*arguments(**FORMS[form], gate=gate, rule=rule, read_norm=rule == "delta"), chunk=chunk)


@pytest.mark.parametrize("size", [1, 2, 7, 15, 16, 17, 33])
@pytest.mark.parametrize("time", [1, 2, 33])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_sizes(size, time, dtype):
    """Without LN: of one feature it makes 0, and of two ±1, whose gradients are rounding."""
    tensors, options = arguments(
        2, time, (size, 3), size, dtype=dtype, gate="norm", read_norm=False
    )
    check(tensors, options, chunk=17)


@pytest.mark.parametrize("form", ["product", "one factor", "concat"])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("through", [("retrieved",), ("final",)])
@pytest.mark.parametrize("kinds", [{"padded": True}, {"read": 0.3}, {"padded": True, "read": 0.5}])
def test_masks_and_one_gradient_without_the_other(form, gate, through, kinds):
    check(*arguments(**FORMS[form], gate=gate, **kinds), chunk=7, through=through)


def test_a_norm_of_exactly_one_is_not_clamped():
    """F′ = v kᵀ with ‖v‖ = ‖k‖ = 1: the clamp is strict, so it passes the gradient on whole."""
    key = torch.tensor([[[0.0, 1.0, 0.0]]], dtype=torch.float64)
    value = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64, requires_grad=True)
    options = arguments(gate="norm")[1]
    tensors = {"keys0": key, "values": value, "strength": torch.ones(1, 1, dtype=torch.float64)}
    call(cpu.run, tensors, options)[1].sum().backward()
    assert value.grad.tolist() == [[[1.0, 1.0]]]


@pytest.mark.parametrize("chunk", [16, 64])
def test_long_sequences_in_single_precision(chunk):
    check(*arguments(4, 130, (16, 16), 16, gate="norm", dtype=torch.float32, strength=0.1), chunk)


@pytest.mark.parametrize("gate", GATES)
def test_nan_stays_in_its_row_and_reaches_the_memory(gate):
    tensors, options = arguments(3, 9, gate=gate)
    with torch.no_grad():
        tensors["values"][1, 7, 0] = float("nan")
    retrieved, final = call(cpu.run, tensors, options)
    assert final.flatten(1).isnan().any(1).tolist() == [False, True, False]
    assert retrieved[[0, 2]].isfinite().all()
    assert retrieved[1, 8].isnan().any()


@pytest.mark.parametrize("form", ["even product", "even factor"])
def test_the_same_bits_every_time_and_with_any_number_of_threads(form):
    tensors, options = arguments(13, **FORMS[form], gate="norm", dtype=torch.float32)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 1, 2, 2, 2):
            torch.set_num_threads(count)
            results.append(differentiate(cpu.run, tensors, options, chunk=16))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for name, value in results[0].items():
            assert torch.equal(value, other[name]), name


def test_concurrent_callers_do_not_disturb_each_other():
    cases = [arguments(5, 9 + k, seed=k) for k in range(4)]
    alone = [call(cpu.run, *case) for case in cases]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda case: call(cpu.run, *case), cases * 5)
        for k, results in enumerate(together):
            assert all(map(torch.equal, results, alone[k % 4]))
