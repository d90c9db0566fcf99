"""The fused fast-weights RNN against the step-by-step reference: sizes, chunks, threads; forms are in tests/ops."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from rnn_arguments import arguments, differentiate, run
from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.fast_weight_rnn import cpu, reference

pytestmark = pytest.mark.skipif(ready.available() is not None, reason=str(ready.available()))

TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-4}


def check(tensors: dict, options: dict, chunk: int | None = None) -> None:
    dtype = tensors["drive"].dtype
    direction = torch.randn(tensors["drive"].shape, generator=torch.Generator().manual_seed(1))
    expected = differentiate(reference, tensors, direction.to(dtype), **options)
    found = differentiate(cpu, tensors, direction.to(dtype), **options, chunk=chunk)
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


def test_only_what_requires_a_gradient_gets_one():
    tensors, options = arguments(state=True)
    frozen = {name: value.detach() for name, value in tensors.items() if isinstance(value, Tensor)}
    for name, value in frozen.items():
        leaf = value.clone().requires_grad_()
        outputs = run(cpu, **(tensors | frozen | {name: leaf}), **options)
        outputs.square().sum().backward()
        assert leaf.grad is not None
        assert leaf.grad.abs().max() > 0, name
    assert not run(cpu, **(tensors | frozen), **options).requires_grad


@pytest.mark.parametrize(("batch", "time", "hidden"), [(70, 12, 23), (128, 11, 50)])
def test_the_same_bits_every_time_and_with_any_number_of_threads(batch, time, hidden):
    tensors, options = arguments(batch, time, hidden, state=True, dtype=torch.float32)
    direction = torch.randn(batch, time, hidden, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 1, 2, 2, 2, 2):
            torch.set_num_threads(count)
            results.append(differentiate(cpu, tensors, direction, **options, chunk=5))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for name, value in results[0].items():
            assert torch.equal(value, other[name]), name


def test_concurrent_callers_do_not_disturb_each_other():
    cases = [arguments(20 + k, 9, 10 + k, seed=k, learned=False) for k in range(4)]
    alone = [run(cpu, **tensors, **options) for tensors, options in cases]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda case: run(cpu, **case[0], **case[1]), cases * 5)
        for k, outputs in enumerate(together):
            assert torch.equal(outputs, alone[k % 4])
