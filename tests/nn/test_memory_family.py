"""The memories of the family against their equations, written out with F [value, key] as the papers have it."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, group_norm, pad, silu, softplus

from fastweights import nn
from fastweights.errors import UserError

B, T, D, H = 2, 9, 5, 6


def vectors(scale=1.0):
    return scale * torch.randn(
        B, T, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def made(build, **options):
    torch.manual_seed(0)
    layer = build(D, H, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return layer


def split(x, count):
    """Features [batch, time, count · size] as a NumPy array [batch, count, time, size]."""
    return x.detach().unflatten(-1, (count, -1)).movedim(-2, 1).numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def normed(x, eps=1e-6):
    return x / np.sqrt((x**2).sum(-1, keepdims=True) + eps)


def rms(x, gain, eps=1e-5):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * gain.detach().numpy()


def merged(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 1, 2))).flatten(2)


def convolved(layer, x):
    rows = layer.qkv(x)
    if layer.convolution is None:
        return silu(rows)
    weight = layer.convolution.weight[:, None]
    padded = pad(rows.mT, (weight.shape[2] - 1, 0))
    return silu(conv1d(padded, weight, groups=len(weight)).mT)


def over_rows(step, heads, value, key):
    """Reads [batch, heads, time, value] and memories [batch, heads, key, value] of `step(row, head, t, F)`."""
    reads, memories = np.zeros((B, heads, T, value)), np.zeros((B, heads, key, value))
    for b in range(B):
        for h in range(heads):
            F = np.zeros((value, key))
            for t in range(T):
                F, reads[b, h, t] = step((b, h, t), F)
            memories[b, h] = F.T
    return reads, memories


def agree(layer, x, y, memory):
    with torch.no_grad():
        found, state = layer(x)
        trace = layer.trace(x)
    torch.testing.assert_close(found, y.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(trace.output, found, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        state.memory, torch.from_numpy(memory).reshape(state.memory.shape), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(trace.memory[:, -1], state.memory, rtol=1e-12, atol=1e-12)


def delta_inputs(layer, x):
    """q, k, v and β of the delta layers, keys and queries repeated for the values that share them."""
    heads, key_heads, n = layer.heads, layer.key_heads, layer.writes
    size = layer.key_sizes[0]
    q, k, v = convolved(layer, x).split(
        [key_heads * size, n * key_heads * size, n * heads * layer.value_size], -1
    )
    logits = layer.strength(x)
    q = np.repeat(normed(split(q, key_heads)), heads // key_heads, 1)
    ks = [np.repeat(normed(split(k_i, key_heads)), heads // key_heads, 1) for k_i in k.chunk(n, -1)]
    vs = [split(v_i, heads) for v_i in v.chunk(n, -1)]
    twice = 2 if layer.negative_eigenvalues else 1
    betas = (
        [twice * sigmoid(split(b, heads)[..., 0]) for b in logits.chunk(n, -1)]
        if (logits.shape[-1] == n * heads)
        else [twice * sigmoid(split(logits, heads))]
    )
    return q, ks, vs, betas


def alphas(layer, x):
    """α of each head and step, or of each feature of its key."""
    if isinstance(layer, nn.KimiDeltaAttention):
        logits = layer.decay.up(layer.decay.down(x)).unflatten(-1, layer.decay_bias.shape)
        rate = layer.log_rate.exp()[:, None]
    else:
        logits, rate = layer.decay(x), layer.log_rate.exp()
    return torch.exp(-rate * softplus(logits + layer.decay_bias)).movedim(2, 1).detach().numpy()


def delta_output(layer, x, reads):
    gate = layer.gate(x)
    kimi = isinstance(layer, nn.KimiDeltaAttention)
    gate = torch.sigmoid(gate) if kimi else silu(gate)
    return layer.out(merged(rms(reads, layer.norm.weight)) * gate)


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (nn.GatedDeltaNet, {"heads": 2, "negative_eigenvalues": True}),
        (nn.GatedDeltaNet, {"heads": 4, "key_heads": 2, "key_size": 3}),
        (nn.KimiDeltaAttention, {}),
        (nn.KimiDeltaAttention, {"heads": 4, "key_heads": 2, "key_size": 3, "value_size": 5}),
        (nn.GatedDeltaProduct, {"heads": 2}),
        (nn.GatedDeltaProduct, {"writes": 3, "heads": 2, "key_heads": 1, "convolution": None}),
        (nn.GatedDeltaProduct, {"writes": 1, "negative_eigenvalues": False}),
    ],
    ids=str,
)
def test_delta_memories(build, options):
    layer, x = made(build, **options), vectors()
    q, k, v, beta = delta_inputs(layer, x)
    a = alphas(layer, x)

    def step(at, F):
        F = F * a[at]  # a number, or one for each column
        for k_i, v_i, b_i in zip(k, v, beta, strict=True):
            F = F + b_i[at] * np.outer(v_i[at] - F @ k_i[at], k_i[at])
        return F, F @ q[at]

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    agree(layer, x, delta_output(layer, x, reads), memory)


def test_an_ungated_delta_memory_with_negative_eigenvalues():
    layer, x = made(nn.DeltaNet, heads=2, key_heads=1, negative_eigenvalues=True), vectors(3.0)
    q, (k,), (v,), (beta,) = delta_inputs(layer, x)
    assert beta.max() > 1.2

    def step(at, F):
        F = F @ (np.eye(len(k[at])) - beta[at] * np.outer(k[at], k[at]))
        F = F + beta[at] * np.outer(v[at], k[at])
        return F, F @ q[at]

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    agree(layer, x, layer.out(merged(rms(reads, layer.norm.weight))), memory)


@pytest.mark.parametrize(
    "options", [{"heads": 2}, {"heads": 2, "key_heads": 1, "negative_eigenvalues": True}], ids=str
)
def test_gated_delta_net_2(options):
    layer, x = made(nn.GatedDeltaNet2, **options), vectors()
    q, (k,), (v,), (b,) = delta_inputs(layer, x)
    a, w = alphas(layer, x), sigmoid(split(layer.write_gate(x), layer.heads))

    def step(at, F):
        F = F @ np.diag(a[at])
        F = F + np.outer(w[at] * v[at] - F @ (b[at] * k[at]), k[at])
        return F, F @ q[at]

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    agree(layer, x, delta_output(layer, x, reads), memory)


def test_comba():
    layer, x = made(nn.Comba, heads=2), vectors()
    q, (k,), (v,), (beta,) = delta_inputs(layer, x)
    a = alphas(layer, x)
    d, D_ = sigmoid(layer.feedback.detach().numpy()), layer.correction.detach().numpy()

    def step(at, F):
        p = d[at[1]] * k[at]
        F = a[at] * F
        F = F + beta[at] * np.outer(v[at] - F @ p, k[at])
        return F, F @ (q[at] - D_[at[1]] * p)

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    agree(layer, x, delta_output(layer, x, reads), memory)


def hebbian_inputs(layer, x):
    return [split(part, layer.heads) for part in layer.qkv(x).split(layer.parts, -1)]


@pytest.mark.parametrize("options", [{}, {"heads": 2, "key_size": 4}], ids=str)
def test_gated_linear_attention(options):
    layer, x = made(nn.GatedLinearAttention, **options), vectors()
    q, k, v = hebbian_inputs(layer, x)
    a = sigmoid(split(layer.decay.up(layer.decay.down(x)), layer.heads)) ** (1 / 16)

    def step(at, F):
        F = F * a[at] + np.outer(v[at], k[at])
        return F, F @ q[at] / np.sqrt(len(q[at]))

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    y = layer.out(merged(rms(reads, layer.norm.weight)) * silu(layer.gate(x)))
    agree(layer, x, y, memory)


@pytest.mark.parametrize("options", [{}, {"heads": 2, "key_size": 4, "lower_bound": 0.3}], ids=str)
def test_hgrn2(options):
    layer, x = made(nn.HGRN2, **options), vectors()
    q, f, v = hebbian_inputs(layer, x)
    q, f = q * sigmoid(q), layer.lower_bound + (1 - layer.lower_bound) * sigmoid(f)

    def step(at, F):
        F = F * f[at] + np.outer(v[at], 1 - f[at])
        return F, F @ q[at]

    reads, memory = over_rows(step, layer.heads, layer.value_size, layer.key_sizes[0])
    y = layer.out(torch.from_numpy(rms(merged(reads).numpy(), layer.norm.weight)))
    agree(layer, x, y, memory)


def mlstm_truth(layer, x):
    """The paper's equations 19 to 27 as they stand, without a stabiliser."""
    q, k, v = hebbian_inputs(layer, x)
    gates = layer.gates(x).detach().numpy()
    i = np.exp(np.moveaxis(gates[..., : layer.heads], 2, 1))
    f = sigmoid(np.moveaxis(gates[..., layer.heads :], 2, 1))

    def step(at, F):  # the last row is n
        key = k[at] / np.sqrt(len(k[at]))
        F = f[at] * F + i[at] * np.outer(np.append(v[at], 1), key)
        *read, total = F @ q[at]
        return F, np.append(np.array(read) / max(abs(total), 1), 0)

    reads, memory = over_rows(step, layer.heads, layer.value_size + 1, layer.key_sizes[0])
    mean, spread = reads[..., :-1].mean(-1, keepdims=True), reads[..., :-1].var(-1, keepdims=True)
    n = merged((reads[..., :-1] - mean) / np.sqrt(spread + 1e-5)) * layer.norm.weight
    return layer.out(torch.sigmoid(layer.output_gate(x)) * n), memory


@pytest.mark.parametrize("options", [{}, {"heads": 2, "key_size": 4}], ids=str)
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_mlstm(options, scale):
    layer, x = made(nn.MLSTM, **options), vectors(scale)
    y, memory = mlstm_truth(layer, x)
    with torch.no_grad():
        found, state = layer(x)
        trace = layer.trace(x)
    torch.testing.assert_close(found, y, rtol=1e-11, atol=1e-11)
    whole = state.memory * state.stabiliser.exp()[:, :, None, None]
    torch.testing.assert_close(whole, torch.from_numpy(memory), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(trace.output, found)


@pytest.mark.parametrize("shift", [300.0, -300.0])
def test_exponential_gates_leave_no_range(shift):
    """In float32 exp(300) is not a number; the stabilised memory has the exact result, and finite gradients."""
    layer = made(nn.MLSTM, heads=2)
    with torch.no_grad():
        layer.gates.bias[:2] += shift
    x = vectors()
    exact = layer(x)[0]
    x32 = x.float().requires_grad_()
    found, state = layer.float()(x32)
    torch.testing.assert_close(found.double(), exact, rtol=1e-3, atol=1e-3)
    found.square().sum().backward()
    assert x32.grad.isfinite().all() and all(part.isfinite().all() for part in state)


def test_rwkv7():
    layer, x = made(nn.RWKV7, heads=2, rank=3), vectors()
    before = pad(x, (0, 0, 1, 0))[:, :-1]
    x_r, x_d, x_k, x_v, x_a, x_g = (x + mu * (before - x) for mu in layer.shift)
    down, up = layer.decay.down, layer.decay.up
    d = np.exp(-np.exp(-0.5) * sigmoid(split(up(torch.tanh(down(x_d))), 2)))
    down, up = layer.rate.down, layer.rate.up
    a = torch.sigmoid(up(down(x_a)))
    down, up = layer.gate.down, layer.gate.up
    g = up(torch.sigmoid(down(x_g)))
    key = layer.key(x_k)
    kappa = normed(split(key * layer.removal, 2))
    k = split(key * (1 + (a - 1) * layer.replacement), 2)
    r, v, a = split(layer.receptance(x_r), 2), split(layer.value(x_v), 2), split(a, 2)

    def step(at, F):
        removed = np.outer(kappa[at], a[at] * kappa[at])
        F = F @ (np.diag(d[at]) - removed) + np.outer(v[at], k[at])
        return F, F @ r[at]

    reads, memory = over_rows(step, 2, 3, 3)
    flat = merged(reads).flatten(0, 1)
    n = group_norm(flat, 2, layer.norm.weight, layer.norm.bias, 3e-5).unflatten(0, (B, T))
    rho = layer.bonus.detach().numpy().reshape(1, 2, 1, 3)
    bonus = merged((r * rho * k).sum(-1, keepdims=True) * v)
    agree(layer, x, layer.out(g * (n + bonus)), memory)
    assert d.min() > 0.545
    trace = layer.trace(x)
    assert trace.read_weights.shape == (
        B,
        T,
        4,
        T,
    )  # of each head, what it removed and what it added


def test_titans():
    layer, x = made(nn.Titans, heads=2, key_size=4), vectors()
    parts = layer.input(x).split([8, 8, 6, 2, 2, 2], -1)
    q, k, v, theta, eta, alpha = (split(part, 2) for part in parts)
    q, k, v = (part * sigmoid(part) for part in (q, k, v))
    q, k = normed(q), normed(k)
    S = {}

    def step(at, F):
        row = at[:2]
        surprise = sigmoid(theta[at]) * np.outer(v[at] - F @ k[at], k[at])
        S[row] = sigmoid(eta[at]) * S.get(row, 0 * F) + surprise
        F = (1 - sigmoid(alpha[at])) * F + S[row]
        return F, F @ q[at]

    reads, memory = over_rows(step, 2, 3, 4)
    agree(layer, x, merged(reads), memory)


def test_recurrent_delta_net():
    layer, x = made(nn.RecurrentDeltaNet, heads=2, key_size=4), vectors()
    drive, R = layer.input(x).detach().numpy(), layer.recurrent.weight.detach().numpy()
    ys, memories = np.zeros((B, T, H)), np.zeros((B, 2, 4, 3))

    def shares(a):
        a = np.where(a > 0, a + 1, np.exp(a))
        return a / a.sum()

    for b in range(B):
        y, F = np.zeros(H), np.zeros((2, 3, 4))
        for t in range(T):
            z = drive[b, t] + R @ np.tanh(y)
            y = y.copy()
            for h in range(2):
                q, k = shares(z[4 * h : 4 * h + 4]), shares(z[8 + 4 * h : 12 + 4 * h])
                v, beta = z[16 + 3 * h : 19 + 3 * h], sigmoid(z[22 + h])
                F[h] += beta * np.outer(v - F[h] @ k, k)
                y[3 * h : 3 * h + 3] = F[h] @ q
            ys[b, t] = y
        memories[b] = F.swapaxes(1, 2)
    agree(layer, x, torch.from_numpy(ys), memories)


def test_self_referential_weight_matrix():
    layer, x = made(nn.SelfReferentialWeightMatrix, heads=2), vectors()
    given, start = split(layer.input(x), 2), layer.initial.detach().numpy()

    def softmax(a):
        return np.exp(a) / np.exp(a).sum()

    def step(at, F):  # F is what has been added
        whole = start[at[1]].T + F
        out = whole @ softmax(given[at])
        y, k, q, beta = out[:3], softmax(out[3:6]), softmax(out[6:9]), sigmoid(out[9:])
        rates = np.repeat(beta, [3, 3, 3, 4])
        return F + np.outer(rates * (whole @ q - whole @ k), k), np.append(y, np.zeros(10))

    reads, memory = over_rows(step, 2, 13, 3)
    agree(layer, x, merged(reads[..., :3]), memory)


def test_m2rnn():
    layer, x = made(nn.M2RNN, heads=2, key_size=4), vectors()
    q, k, v, f = (split(part, 2) for part in layer.input(x).split([8, 8, 6, 2], -1))
    W = layer.transition.detach().numpy()

    def step(at, F):
        Z = np.tanh(F @ W[at[1]] + np.outer(v[at], k[at]))
        F = sigmoid(f[at]) * F + (1 - sigmoid(f[at])) * Z
        return F, F @ q[at]

    reads, memory = over_rows(step, 2, 3, 4)
    agree(layer, x, merged(reads), memory)


def test_gated_delta_net_2_with_one_number_for_both_gates_is_kimi_delta_attention():
    kimi, second = made(nn.KimiDeltaAttention, heads=2), made(nn.GatedDeltaNet2, heads=2)
    shared = {name: part for name, part in kimi.state_dict().items() if name != "strength.weight"}
    rows = kimi.strength.weight.detach()
    with torch.no_grad():
        shared["strength.weight"] = rows.repeat_interleave(3, 0)
        shared["write_gate.weight"] = rows.repeat_interleave(3, 0)
    second.load_state_dict(shared)
    x = vectors()
    torch.testing.assert_close(second(x)[0], kimi(x)[0], rtol=1e-12, atol=1e-12)


def test_parity_needs_an_eigenvalue_of_minus_one():
    """β = 2 reflects: F changes sign under the same key, and comes back."""
    layer = made(nn.DeltaNet, convolution=None, negative_eigenvalues=True)
    access, _ = layer.access(vectors(), None, None)
    k = access.keys[0][0, 0, 0].detach()
    reflection = torch.eye(len(k)) - 2 * torch.outer(k, k) / k.square().sum()
    torch.testing.assert_close(reflection @ reflection, torch.eye(len(k)).double())
    assert float(access.strength.detach().max()) > 1


@pytest.mark.parametrize(
    "build", [nn.DeltaNet, nn.GatedDeltaNet, nn.KimiDeltaAttention, nn.GatedDeltaNet2, nn.Comba]
)
@pytest.mark.usefixtures("unchecked")
def test_grouped_heads_that_do_not_divide(build):
    with pytest.raises(UserError, match=r"heads is 3; accepted with 2 key heads: a multiple"):
        build(D, H, heads=3, key_heads=2)
    with pytest.raises(UserError, match=r"heads is 2; accepted with 3 key heads: a multiple"):
        build(D, H, heads=2, key_heads=3)
