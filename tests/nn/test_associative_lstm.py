"""The algebra of the Associative LSTM's holographic memory, and its equations."""

import math

import numpy as np
import pytest
import torch

from fastweights import nn
from fastweights.nn.baselines.associative_lstm import as_complex, as_real, bound

UNITS = 64


def unit_phases(*shape, generator):
    """Keys of modulus 1 and random phase."""
    angle = 2 * math.pi * torch.rand(*shape, generator=generator, dtype=torch.float64)
    return torch.polar(torch.ones_like(angle), angle)


def layer(copies=1):
    torch.manual_seed(0)
    return nn.AssociativeLSTM(3, 2 * UNITS, copies=copies).double()


def test_binding_is_undone_by_the_conjugate_key():
    generator = torch.Generator().manual_seed(0)
    key, value = unit_phases(2, UNITS, generator=generator)
    memory = layer(copies=5).permute(key) * value
    retrieved = layer(copies=5).permute(key.conj()) * memory
    torch.testing.assert_close(retrieved, value.expand(5, UNITS))
    assert not torch.allclose(memory[0], memory[1])  # the copies differ


@pytest.mark.parametrize("copies", [1, 4, 16])
def test_noise_falls_as_one_over_the_copies(copies):
    """N stored pairs leave noise of variance (N − 1) / copies per unit around the value asked for."""
    generator, pairs, runs = torch.Generator().manual_seed(copies), 9, 60
    keys = unit_phases(runs, pairs, UNITS, generator=generator)
    values = unit_phases(runs, pairs, UNITS, generator=generator)
    this = layer(copies)
    memory = (this.permute(keys) * values[:, :, None]).sum(1)
    retrieved = (this.permute(keys[:, 0].conj()) * memory).mean(1)
    variance = float((retrieved - values[:, 0]).abs().square().mean())
    # A unit that several permutations leave in place repeats its noise: that adds about 1 / UNITS.
    expected = (pairs - 1) * (1 / copies + (1 - 1 / copies) / UNITS)
    assert variance == pytest.approx(expected, rel=0.12)


def test_bound_caps_the_modulus_and_keeps_the_phase():
    z = torch.tensor([3 + 4j, -0.3 + 0.4j, 0j, 1j, -20], dtype=torch.complex128)
    expected = torch.tensor([0.6 + 0.8j, -0.3 + 0.4j, 0j, 1j, -1], dtype=torch.complex128)
    torch.testing.assert_close(bound(z), expected)


def test_bound_has_finite_gradients_at_zero():
    z = torch.zeros(3, dtype=torch.complex128, requires_grad=True)
    bound(z).real.sum().backward()
    torch.testing.assert_close(z.grad, torch.ones_like(z))


def test_pairs_and_complex_numbers_are_each_others_inverse():
    pairs = torch.randn(2, 3, 8)
    torch.testing.assert_close(as_real(as_complex(pairs)), pairs, rtol=0, atol=0)
    assert as_complex(torch.tensor([1.0, 2.0, 3.0, 4.0])).tolist() == [1 + 2j, 3 + 4j]


def test_permutations_are_saved_and_are_permutations():
    this = layer(copies=4)
    assert "permutations" in this.state_dict()
    for permutation in this.permutations:
        assert sorted(permutation.tolist()) == list(range(UNITS))


def test_parameters_do_not_grow_with_the_copies():
    few, many = nn.AssociativeLSTM(3, 8, copies=1), nn.AssociativeLSTM(3, 8, copies=9)
    assert [p.shape for p in few.parameters()] == [p.shape for p in many.parameters()]


def test_it_is_its_equations():
    """The recurrence once more, in NumPy with complex arrays and explicit permutation matrices."""
    torch.manual_seed(0)
    H, n, copies, B, T = 6, 3, 2, 2, 5
    this = nn.AssociativeLSTM(4, H, copies=copies).double()
    with torch.no_grad():
        for parameter in this.parameters():
            parameter.mul_(4)  # so that bound has something to cap
    x = torch.randn(B, T, 4, dtype=torch.float64)
    C, b = this.input.weight.detach().numpy(), this.input.bias.detach().numpy()
    W = this.recurrent.weight.detach().numpy()
    P = [np.eye(n)[row] for row in this.permutations.numpy()]

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def cap(z):
        return z / np.maximum(1, np.abs(z))

    h, c, y, capped = np.zeros((B, H)), np.zeros((copies, B, n), complex), [], 0
    for t in range(T):
        sums = x[:, t].numpy() @ C.T + b + h @ W.T
        f, i, o, *parts = np.split(sums, 9, axis=1)
        u, key_in, key_out = (
            real + 1j * imaginary for real, imaginary in zip(parts[:3], parts[3:], strict=True)
        )
        capped += int((np.abs(key_in) > 1).sum())
        f, i, o, u, key_in, key_out = (
            *map(sigmoid, (f, i, o)),
            *map(cap, (u, key_in, key_out)),
        )
        for s in range(copies):
            c[s] = f * c[s] + (key_in @ P[s].T) * (i * u)
        mean = sum((key_out @ P[s].T) * c[s] for s in range(copies)) / copies
        out = o * cap(mean)
        h = np.stack([out.real, out.imag], -1).reshape(B, H)
        y.append(h)
    assert 0 < capped < B * T * n
    torch.testing.assert_close(this(x)[0].detach(), torch.from_numpy(np.stack(y, 1)))


def test_trace_shows_the_copies():
    trace = layer(copies=3).trace(torch.randn(2, 4, 3, dtype=torch.float64))
    assert trace.memory.shape == (2, 4, 3, 2 * UNITS) and trace.read_weights is None
    torch.testing.assert_close(trace.memory[:, -1], trace.state.cell)
