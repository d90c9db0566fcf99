"""A decay for each feature of the key and erase keys: what they become, factors down to 0, long sequences, traces."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import ops
from fastweights.ops.delta_memory import trace
from fastweights.ops.delta_memory.channels import star

B, T, K, V = 2, 70, 5, 4
WAYS = ("reference", "chunked", "cpu")


def draw(*shape, dtype=torch.double):
    return torch.randn(*shape, dtype=dtype)


def arguments(time=T, dtype=torch.double):
    """Keys of norm 1 or so, values, strengths, queries, a start and erase keys, by name."""
    return {
        "keys": (draw(B, time, K, dtype=dtype) / K**0.5,),
        "values": draw(B, time, V, dtype=dtype),
        "strength": torch.rand(B, time, dtype=dtype),
        "queries": (draw(B, time, K, dtype=dtype),),
        "memory": draw(B, K, V, dtype=dtype),
    }


def run(given, **options):
    rest = {name: given[name] for name in given.keys() - {"keys", "values", "strength"}}
    return ops.delta_memory(
        given["keys"], given["values"], given["strength"], read_norm=False, **rest, **options
    )


def assert_same(found, true, tolerance=1e-11):
    for a, b in zip(found, true, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("backend", WAYS)
@pytest.mark.parametrize("rule", ["delta", "hebbian"])
def test_a_gate_alike_for_all_features_is_one_a_step(backend, rule):
    given, gate = arguments(), torch.rand(B, T, dtype=torch.double)
    wide = gate.unsqueeze(2).expand(B, T, K)
    true = run(given, gate=gate, rule=rule, backend="reference")
    assert_same(run(given, gate=wide, rule=rule, backend=backend), true)


@pytest.mark.parametrize("backend", WAYS)
@pytest.mark.parametrize("gate", [None, "steps", "channels"])
def test_to_erase_what_is_written_is_the_delta_rule(backend, gate):
    given = arguments()
    gates = {
        "steps": torch.rand(B, T, dtype=torch.double),
        "channels": torch.rand(B, T, K).double(),
    }
    erase = given["strength"].unsqueeze(2) * given["keys"][0]
    true = run(given, gate=gates.get(gate), backend="reference")
    assert_same(run(given, gate=gates.get(gate), erase=erase, backend=backend), true)


@given(
    factors=st.lists(st.sampled_from([0.0, 1e-300, 1e-30, 0.3, 1.0, 1.1]), min_size=1, max_size=6),
    chunk=st.integers(1, 40),
    erasing=st.booleans(),
    backend=st.sampled_from(["chunked", "cpu"]),
)
def test_any_factor_in_any_chunk(factors, chunk, erasing, backend):
    """Values, state and gradients; 0 and numbers whose product or quotient no type holds are factors like any other."""
    torch.manual_seed(len(factors))
    given = arguments()
    given["gate"] = torch.tensor(factors, dtype=torch.double)[
        torch.randint(len(factors), (B, T, K))
    ]
    if erasing:
        given["erase"] = draw(B, T, K) / K
    results = []
    for way, length in (("reference", None), (backend, chunk)):
        leaves = {
            name: tuple(x.clone().requires_grad_() for x in value)
            if isinstance(value, tuple)
            else value.clone().requires_grad_()
            for name, value in given.items()
        }
        retrieved, memory = run(leaves, backend=way, chunk=length)
        scale = 1 + retrieved.detach().abs().max() + memory.detach().abs().max()
        ((retrieved.sin() + retrieved).sum() / scale + memory.sum() / scale).backward()
        flat = [x for v in leaves.values() for x in (v if isinstance(v, tuple) else (v,))]
        results.append([retrieved / scale, memory / scale, *(x.grad for x in flat)])
    for found, true in zip(*results, strict=True):
        assert (found - true).abs().max() <= 1e-11 * (1 + true.abs().max())


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13])
def test_the_products_are_sums_over_features(steps):
    """X ⋆ K written out: every pair, every feature, every factor between them."""
    k, e, q = draw(3, B, steps, K)
    a = torch.rand(B, steps, K, dtype=torch.double) * (torch.rand(B, steps, K) > 0.2)
    found = star(k, a, e, q)
    erase, query = torch.zeros(2, B, steps, steps, dtype=torch.double)
    for t in range(steps):
        for i in range(t + 1):
            held = a[:, i + 1 : t + 1].prod(1)
            query[:, t, i] = (q[:, t] * held * k[:, i]).sum(1)
            erase[:, t, i] = (e[:, t] * held * k[:, i]).sum(1) if i < t else 0
    up_to, after = a.cumprod(1), torch.ones_like(a)
    for t in range(steps):
        after[:, t] = a[:, t + 1 :].prod(1)
    assert_same(found, (erase, query, up_to, after))


@pytest.mark.parametrize("backend", ["chunked", "cpu"])
def test_decays_to_nothing_over_thousands_of_steps(backend):
    """e^-20 a step: float32 stays finite, and as near the truth as the step form is."""
    torch.manual_seed(0)
    given = arguments(4096, dtype=torch.float32)
    given["gate"] = torch.exp(-20 * torch.rand(B, 4096, K))
    wide = {
        n: tuple(x.double() for x in v) if isinstance(v, tuple) else v.double()
        for n, v in given.items()
    }
    true = run(wide, backend="reference")
    plain, found = run(given, backend="reference"), run(given, backend=backend)
    for near, far, exact in zip(found, plain, true, strict=True):
        assert near.isfinite().all()
        assert (near - exact).abs().max() <= 10 * (far - exact).abs().max() + 1e-7


@pytest.mark.parametrize("erasing", [False, True])
def test_a_trace_says_what_each_read_took(erasing):
    given = arguments(9) | {"gate": torch.rand(B, 9, K, dtype=torch.double)}
    given["memory"] = torch.zeros(B, K, V, dtype=torch.double)
    if erasing:
        given["erase"] = draw(B, 9, K) / K
    retrieved, memory = run(given, backend="reference")
    rest = {name: given[name] for name in given.keys() - {"keys", "values", "strength"}}
    seen = trace(given["keys"], given["values"], given["strength"], read_norm=False, **rest)
    assert_same((seen.retrieved, seen.memory), (retrieved, memory))
    F, written = given["memory"], []
    for t in range(9):
        F = given["gate"][:, t].unsqueeze(2) * F
        k, beta = given["keys"][0][:, t], given["strength"][:, t, None]
        e = given["erase"][:, t] if erasing else beta * k
        written.append(beta * given["values"][:, t] - torch.einsum("bk,bkv->bv", e, F))
        F = F + k.unsqueeze(2) * written[-1].unsqueeze(1)
    taken = seen.read_weights[:, :, 0] @ torch.stack(written, 1)
    assert_same((taken,), (retrieved,))
