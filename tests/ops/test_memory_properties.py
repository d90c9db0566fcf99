"""What the papers say of these memories, and their kin written out directly."""

import pytest
import torch
from torch.nn.functional import layer_norm, normalize, one_hot

from fastweights import ops
from fastweights.ops.delta_memory import trace
from fastweights.ops.delta_memory.combine import combined
from rounding import assert_equal_but_for_rounding


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64)


def orthonormal(count, size):
    return torch.linalg.qr(draw(size, size))[0][:count]


@pytest.mark.parametrize("beta", [0.25, 1.0])
def test_a_second_write_mixes_the_old_value_with_the_new(beta, memory_ways):
    """Appendix B of the FWM paper: under orthonormal keys a read gives (1 − β) v_old + β v."""
    k1, k2 = orthonormal(4, 5), orthonormal(4, 6)
    old, new = draw(4, 3), draw(4, 3)
    retrieved, _ = ops.delta_memory(
        (k1.repeat(2, 1)[None], k2.repeat(2, 1)[None]),
        torch.cat((old, new))[None],
        torch.tensor([1.0] * 4 + [beta] * 4, dtype=torch.float64)[None],
        queries=(k1.repeat(2, 1)[None], k2.repeat(2, 1)[None, :, None]),
        read_norm=False,
        **memory_ways,
    )
    torch.testing.assert_close(retrieved[0, :4], old, rtol=0, atol=1e-12)
    torch.testing.assert_close(retrieved[0, 4:], (1 - beta) * old + beta * new, rtol=0, atol=1e-12)


@pytest.mark.parametrize("combine", ["product", "concat"])
def test_products_of_keys_do_not_interfere(combine, memory_ways):
    """Appendix A: of ten symbols, all hundred pairs can be keys at once; concatenated they share twenty dimensions."""
    symbols = torch.eye(10, dtype=torch.float64)
    first, second = torch.cartesian_prod(torch.arange(10), torch.arange(10)).T
    keys = (symbols[first][None], symbols[second][None])
    answers = torch.randint(10, (100,))
    strength = torch.full((1, 100), 1.0 if combine == "product" else 0.5, dtype=torch.float64)
    _, memory = ops.delta_memory(
        keys, symbols[answers][None], strength, combine=combine, **memory_ways
    )
    asked = (keys[0], keys[1].unsqueeze(2))
    nothing = torch.zeros_like(strength)
    recalled, after = ops.delta_memory(
        keys, symbols[answers][None], nothing, queries=asked, memory=memory, combine=combine, read_norm=False,
        **memory_ways,
    )  # fmt: skip
    assert torch.equal(after, memory)
    right = (recalled[0].argmax(1) == answers).double().mean()
    if combine == "product":
        torch.testing.assert_close(recalled[0], symbols[answers], rtol=0, atol=1e-12)
        assert right == 1
    else:
        assert right < 0.6


@pytest.mark.parametrize("gated", [False, True], ids=["DeltaNet", "Gated DeltaNet"])
def test_one_factor_is_delta_net(gated, memory_ways):
    """Against S ← S + β (v − S k) kᵀ, o = S q, S [value, key], written as in the papers; the gate scales S first."""
    keys, queries = normalize(draw(2, 3, 9, 4), dim=-1), draw(2, 3, 9, 4)
    values, beta = draw(2, 3, 9, 5), torch.rand(2, 3, 9, dtype=torch.float64)
    gate = torch.rand(2, 3, 9, dtype=torch.float64) if gated else None
    S, outputs = draw(2, 3, 5, 4), []
    retrieved, memory = ops.delta_memory(
        (keys,), values, beta, queries=(queries,), memory=S.mT.clone(), gate=gate, read_norm=False, **memory_ways
    )  # fmt: skip
    for t in range(9):
        k, v = keys[:, :, t, :, None], values[:, :, t, :, None]
        S = S if gate is None else gate[:, :, t, None, None] * S
        S = S + beta[:, :, t, None, None] * (v - S @ k) @ k.mT
        outputs.append((S @ queries[:, :, t, :, None]).squeeze(-1))
    torch.testing.assert_close(retrieved, torch.stack(outputs, 2), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(memory, S.mT, rtol=1e-11, atol=1e-11)


def test_hebbian_is_linear_attention_with_decay(memory_ways):
    """o_t = Σ_τ≤t α_τ+1 … α_t β_τ ⟨k_τ, q_t⟩ v_τ, the attention form."""
    keys, queries, values = draw(2, 7, 4), draw(2, 7, 4), draw(2, 7, 3)
    rate, gate = torch.rand(2, 2, 7, dtype=torch.float64)
    retrieved, _ = ops.delta_memory(
        (keys,), values, rate, queries=(queries,), rule="hebbian", gate=gate, **memory_ways
    )
    total = gate.log().cumsum(1)
    kept = (total[:, :, None] - total[:, None, :]).exp().tril()
    attention = kept * (queries @ keys.mT) * rate[:, None, :]
    expected = layer_norm(attention @ values, (3,))
    torch.testing.assert_close(retrieved, expected, rtol=1e-10, atol=1e-10)


def test_chained_reads_follow_a_chain(memory_ways):
    """a → b and b → c under one relation: two reads from a find c, as the paper's transitive inference."""
    a, b, c = one_hot(torch.arange(3), 6).double()
    relation = draw(1, 2, 4)
    n, e = torch.stack((a, a))[None], relation[:, :1, None].expand(1, 2, 2, 4)
    retrieved, _ = ops.delta_memory(
        (torch.stack((a, b))[None], relation[:, :1].expand(1, 2, 4)),
        torch.stack((b, c))[None],
        1 / relation[:, :1].square().sum(-1).expand(1, 2),
        queries=(n, e),
        **memory_ways,
    )
    assert retrieved[0, 1].argmax() == c.argmax()


@pytest.mark.parametrize("combine", ["product", "concat"])
@pytest.mark.parametrize("gate", [None, "tensor", "norm"])
def test_reads_are_attention_over_past_writes(combine, gate):
    """Read weights times what was written is what was read, from a memory that starts empty."""
    keys, values = (draw(2, 3, 6, 4), draw(2, 3, 6, 5)), draw(2, 3, 6, 4)
    strength = torch.rand(2, 3, 6, dtype=torch.float64)
    queries = (draw(2, 3, 6, 4), draw(2, 3, 6, 2, 5))
    options = {"gate": torch.rand_like(strength) if gate == "tensor" else gate, "combine": combine}
    inside = trace(
        keys, values, strength, queries=queries, memory_steps=range(6), read_norm=False, **options
    )
    retrieved, memory = ops.delta_memory(
        keys, values, strength, queries=queries, read_norm=False, backend="reference", **options
    )
    assert_equal_but_for_rounding((inside.retrieved, inside.memory), (retrieved, memory))
    assert torch.equal(inside.steps[:, :, -1], inside.memory)
    before = torch.cat((torch.zeros_like(inside.steps[:, :, :1]), inside.steps[:, :, :-1]), 2)
    old = torch.einsum("bhtkv,bhtk->bhtv", before.flatten(3, -2), combined(keys, combine))
    if gate == "tensor":
        old = options["gate"].unsqueeze(3) * old
    written = strength.unsqueeze(3) * (values - old)
    assert not inside.read_weights.transpose(2, 3).triu(1).any()
    read = inside.read_weights[:, :, :, -1] @ written
    torch.testing.assert_close(read, retrieved, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("power", [60, -60])
def test_float32_serves_as_long_as_squares_are_in_its_range(keys, power, memory_ways):
    """Keys larger by a power of two, and values smaller by it: F is the same, and so are the gradients but for that."""
    factors = [torch.randn(2, 9, size) for size in (3, 4)[:keys]]
    values, strength = torch.randn(2, 9, 5), torch.rand(2, 9)
    found = []
    for scale in (1.0, 2.0**power):
        k = [(factor * scale ** (1 / keys)).requires_grad_() for factor in factors]
        v = (values / scale).requires_grad_()
        _, F = ops.delta_memory(tuple(k), v, strength, rule="hebbian", gate="norm", **memory_ways)
        *d_k, d_v = torch.autograd.grad(F.square().sum() + F.sum(), [*k, v])
        found.append((F, d_v / scale, *(d * scale ** (1 / keys) for d in d_k)))
    for scaled, right in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(scaled, right, rtol=1e-4, atol=1e-5)
