"""The Fast Weight Memory against its equations, step by step, in each form it was published in."""

import math

import numpy as np
import pytest
import torch

from fastweights import nn
from fastweights.oracle.delta_memory import DeltaMemory

B, T, D, d = 3, 7, 6, 4  # batch, time, features of h, memory size

# What the paper and each released program compute, written out once more: the scale on writes, what is added to the
# logit of β, whether n⁰ and eⁱ go through tanh, whether there are biases, whether h is added.
PUBLISHED = {
    "paper": (1, 0, True, True, False, True),
    "catbabi": (1 / d, 1, False, True, True, False),
    "language_model": (1, 1, True, True, True, True),
    "meta_rl": (1 / d, 1, False, False, True, True),
}
OPTIONS = [
    {},
    {"reads": 1, "key_size": 3},
    {"reads": 2, "key_size": 5},
    {"combine": "concat", "key_size": 3},
    {"combine": "concat", "reads": 1},
]
variants = pytest.mark.parametrize("variant", PUBLISHED)
options = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(map(str, o.values())))


def made(variant="catbabi", scale=3.0, **options):
    """A layer with large weights, so that the clamp and every tanh act."""
    torch.manual_seed(0)
    layer = nn.FastWeightMemory(D, d, variant=variant, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(scale)
    return layer


def vectors(seed=1):
    return torch.randn(B, T, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def agree(a, b):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), rtol=1e-11, atol=1e-11)


def affine(linear, h):
    bias = 0 if linear.bias is None else linear.bias.detach().numpy()
    return h @ linear.weight.detach().numpy().T + bias


def norm(n):
    centred = n - n.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5)


def equations(layer, variant, combine, h, F):
    """One row, step by step: n^R and y at every step, F at the end, and how often the clamp acted."""
    scale, shift, tanh_n, tanh_e, _, _ = PUBLISHED[variant]
    size, reads = layer.key_sizes[1], layer.reads
    retrieved, y, clamped = [], [], 0

    def combined(a, b):
        return np.outer(a, b).ravel() if combine == "product" else np.concatenate([a, b])

    shape, F = F.shape, F.reshape(-1, d)
    for step in h:
        k1, k2, v, b = np.split(affine(layer.write, step), np.cumsum([d, size, d]))
        n, *e = np.split(affine(layer.read, step), d + size * np.arange(reads))
        k = combined(np.tanh(k1), np.tanh(k2))
        beta = scale / (1 + np.exp(-b - shift))
        F = F + np.outer(k, beta * (np.tanh(v) - k @ F))
        clamped += np.linalg.norm(F) > 1
        F = F / max(1, np.linalg.norm(F))
        n = np.tanh(n) if tanh_n else n
        for each in e:
            n = norm(combined(n, np.tanh(each) if tanh_e else each) @ F)
        retrieved.append(n)
        y.append(affine(layer.out, n))
    return np.stack(retrieved), np.stack(y), F.reshape(shape), clamped


@variants
@options
@pytest.mark.parametrize("carried", [False, True])
def test_it_is_its_equations(variant, options, carried):
    layer, x = made(variant, **options), vectors()
    state = layer.initial_state(B)
    if carried:
        _, state = layer(vectors(2))
    with torch.no_grad():
        y, end = layer(x, state)
        n, same = layer.retrieve(x, state)
    clamps = 0
    for row in range(B):
        retrieved, outputs, F, clamped = equations(
            layer, variant, layer.combine, x[row].numpy(), state.memory[row].detach().numpy()
        )
        agree(n[row], retrieved)
        agree(y[row], outputs)
        agree(end.memory[row], F)
        agree(same.memory[row], F)
        clamps += clamped
    assert clamps > 0


@variants
def test_parameters_and_their_start(variant):
    layer = nn.FastWeightMemory(300, 20, reads=2, variant=variant, key_size=15)
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    rows = {"write": 20 + 15 + 20 + 1, "read": 20 + 2 * 15, "out": 300}
    columns = {"write": 300, "read": 300, "out": 20}
    expected = {f"{name}.weight": (rows[name], columns[name]) for name in rows}
    if PUBLISHED[variant][4]:
        expected |= {f"{name}.bias": (rows[name],) for name in rows}
    assert shapes == expected
    edge = math.sqrt(6 / (300 + 20))
    for weight in (layer.write.weight.detach(), layer.read.weight.detach()):
        assert 0.98 * edge < float(weight.abs().max()) <= edge
        assert float(weight.std()) == pytest.approx(edge / math.sqrt(3), rel=0.05)


def test_retrieve_is_what_forward_reads():
    layer, x = made(), vectors()
    n, end = layer.retrieve(x)
    assert n.shape == (B, T, d)
    y, same = layer(x)
    agree(layer.out(n).detach(), y.detach())
    agree(end.memory.detach(), same.memory.detach())
    mask, read_mask = torch.arange(T).expand(B, T) < 5, torch.rand(B, T) < 0.5
    some, _ = layer.retrieve(x, mask=mask, read_mask=read_mask)
    agree(some.detach(), torch.where((mask & read_mask)[:, :, None], n, 0).detach())


@variants
@options
def test_read_weights_rebuild_every_read(variant, options):
    """A read, before its LN, is Σ_τ weight(τ) u(τ), u the vector that step τ wrote under its key."""
    layer, x = made(variant, **options), vectors()
    with torch.no_grad():
        trace = layer.trace(x)
        access, _ = layer.access(x, None, None)
        n, e = access.queries
        before = torch.cat([torch.zeros_like(trace.memory[:, :1]), trace.memory[:, :-1]], 1)

        def read(F, a, b):
            F = F.flatten(2, -2)
            k = a[..., None] * b[..., None, :] if layer.combine == "product" else None
            k = torch.cat([a, b], -1) if k is None else k.flatten(-2)
            return torch.einsum("btk,btkv->btv", k, F)

        u = access.strength[..., None] * (access.values - read(before, *access.keys))
        assert trace.read_weights.shape == (B, T, layer.reads, T)
        for r in range(layer.reads):
            rebuilt = torch.einsum("btp,bpv->btv", trace.read_weights[:, :, r], u)
            agree(rebuilt, read(trace.memory, n, e[:, :, r]))
            n = torch.nn.functional.layer_norm(rebuilt, (d,), eps=1e-5)
        agree(layer.out(n), trace.output)
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    assert (trace.read_weights.transpose(1, 2)[:, :, future] == 0).all()


def test_memory_of_a_trace_is_that_of_the_steps():
    layer, x = made(), vectors()
    trace = layer.trace(x, memory_steps=[0, 4])
    for place, step in enumerate(trace.memory_steps):
        agree(trace.memory[:, place].detach(), layer(x[:, : step + 1])[1].memory.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_retrieving_under_autocast(dtype):
    layer = nn.FastWeightMemory(D, d)
    with torch.autocast("cpu", torch.bfloat16):
        n, state = layer.retrieve(vectors().to(dtype))
    assert n.dtype == torch.bfloat16 and state.memory.dtype == torch.float32


@pytest.mark.parametrize("clamp", [True, False])
@pytest.mark.parametrize("write_scale", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("combine", ["product", "concat"])
def test_write_scale_and_clamp_are_the_oracles_strength_and_gate(clamp, write_scale, combine):
    layer = made(combine=combine, write_scale=write_scale, clamp=clamp, key_size=3)
    x, weights = vectors(), np.random.default_rng(4).standard_normal((B, T, d))
    n, end = layer.retrieve(x)
    (n * torch.from_numpy(weights)).sum().backward()
    oracle, slope = DeltaMemory(clamp=clamp, combine=combine), 0.0
    largest = 0.0
    for row in range(B):
        k1, k2, v, b = np.split(affine(layer.write, x[row].numpy()), [d, d + 3, 2 * d + 3], 1)
        first, links = np.split(affine(layer.read, x[row].numpy()), [d], 1)
        sigmoid = 1 / (1 + np.exp(-b[:, 0] - 1))
        given = {
            "keys[0]": np.tanh(k1),
            "keys[1]": np.tanh(k2),
            "values": np.tanh(v),
            "strength": write_scale * sigmoid,
            "queries[0]": first,
            "queries[1]": np.tanh(links).reshape(T, layer.reads, 3),
        }
        outcome = oracle.forward(given)
        agree(n[row].detach(), outcome.retrieved)
        agree(end.memory[row].detach(), outcome.memory)
        d_strength = oracle.backward(given, outcome, weights[row])["strength"]
        slope += (d_strength * write_scale * sigmoid * (1 - sigmoid)).sum()
        largest = max(largest, float(np.linalg.norm(outcome.memory)))
    torch.testing.assert_close(float(layer.write.bias.grad[-1]), slope, rtol=1e-9, atol=1e-12)
    assert largest <= 1 + 1e-12 if clamp else largest > 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_projections_at_some_steps_are_those_at_all_and_so_are_gradients(share):
    steps = torch.rand(B, T, generator=torch.Generator().manual_seed(6)) < share
    weights = torch.randn(B, T, D, dtype=torch.float64)

    def run(sparse):
        layer, x = made(), vectors().requires_grad_()
        y, state = layer(x, read_mask=steps if sparse else None)
        y = y if sparse else y.masked_fill(~steps[:, :, None], 0)
        ((y * weights).sum() + (state.memory**2).sum()).backward()
        return [y.detach(), state.memory.detach(), x.grad, *(p.grad for p in layer.parameters())]

    for ours, theirs in zip(run(True), run(False), strict=True):
        agree(ours, theirs)
    assert not run(True)[0][~steps].any() and (share == 0 or run(True)[0].any())
