"""Kernels flush denormal numbers to zero where the calling thread does, on every thread, and only there."""

import pytest
import torch

from fastweights import ops
from fastweights.kernels import threads

B, T, SIZE, TINY = 32, 12, 9, 1e-19
"""Products of two tiny numbers are denormal, or sums of such."""


def tiny(*shape):
    return (TINY * torch.randn(*shape)).requires_grad_()


def recurrence():
    drive, weight = tiny(B, T, SIZE), tiny(SIZE, SIZE)
    options = {"decay": 0.9, "rate": 0.5, "backend": "cpu"}
    return (drive, weight), ops.fast_weight_rnn(drive, weight, **options)


def recurrent_gates():
    gates, weight = tiny(B, T, 4 * SIZE), tiny(4 * SIZE, SIZE)
    return (gates, weight), ops.lstm(gates, weight, backend="cpu")


def memory(factors, gate=None):
    keys = tuple(torch.randn(B, T, SIZE).requires_grad_() for _ in range(factors))
    values, strength = tiny(B, T, SIZE), torch.rand(B, T).requires_grad_()
    queries = (tiny(B, T, SIZE), torch.randn(B, T, 2, SIZE).requires_grad_())[:factors]
    given = {"queries": queries, "gate": gate, "read_norm": False, "backend": "cpu"}
    return (*keys, values, strength, *queries), ops.delta_memory(keys, values, strength, **given)


CALLS = {
    "fast_weight_rnn": recurrence,
    "lstm": recurrent_gates,
    "product keys": lambda: memory(2),
    "one key": lambda: memory(1, torch.rand(B, T)),
    "channels": lambda: memory(1, torch.rand(B, T, SIZE)),
}


def run(call, count):
    torch.manual_seed(0)
    torch.set_num_threads(count)
    leaves, results = call()
    results = [x for x in results if x is not None]
    weights = [TINY * torch.randn(x.shape) for x in results]
    found = [*results, *torch.autograd.grad(results, leaves, weights)]
    return [x.detach().view(torch.int32) for x in found]


@pytest.fixture
def flushing():
    """Yields whether this processor can flush; then it does so no longer."""
    yield torch.set_flush_denormal
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("on", [False, True], ids=["kept", "flushed"])
def test_one_thread_and_two_have_the_same_bits(name, on, flushing):
    torch.set_num_threads(2)
    if threads.count(2) < 2:
        pytest.skip("one thread here")
    run(CALLS[name], 2)  # the threads are there before the mode is
    if not flushing(on):
        pytest.skip("this processor cannot flush")
    one, two = run(CALLS[name], 1), run(CALLS[name], 2)
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", CALLS)
def test_denormals_are_computed_with_unless_flushed(name, flushing):
    kept = run(CALLS[name], 1)
    if not flushing(True):
        pytest.skip("this processor cannot flush")
    assert not all(torch.equal(a, b) for a, b in zip(kept, run(CALLS[name], 1), strict=True))
