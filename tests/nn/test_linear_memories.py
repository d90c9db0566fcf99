"""Linear attention, DeltaNet and Gated DeltaNet against other ways to compute the same."""

import pytest
import torch
from torch.nn.functional import conv1d, elu, pad, silu, softplus

from fastweights import nn

B, T, D, H = 2, 9, 5, 6


def vectors(seed=1):
    return torch.randn(B, T, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(build, **options):
    torch.manual_seed(0)
    layer = build(D, H, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return layer


def heads(x, count):
    return x.unflatten(2, (count, -1)).transpose(1, 2)


def agree(a, b, tolerance=1e-11):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("normaliser", [True, False])
def test_linear_attention_is_causal_attention_with_another_kernel(count, normaliser):
    """The quadratic form: a matrix of weights φ(q)·φ(k), masked, its rows divided by their sums."""
    layer, x = made(nn.LinearAttention, heads=count, key_size=4, normaliser=normaliser), vectors()
    with torch.no_grad():
        q, k, v = layer.qkv(x).split([4 * count, 4 * count, H], -1)
        weights = (heads(elu(q) + 1, count) @ heads(elu(k) + 1, count).mT).tril()
        if normaliser:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-6)
        y = layer.out((weights @ heads(v, count)).transpose(1, 2).flatten(2))
        trace = layer.trace(x)
    agree(layer(x)[0].detach(), y)
    agree(trace.read_weights, weights.transpose(1, 2))
    assert trace.memory.shape == (B, T, count, 4, H // count + normaliser)


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("mixed", [False, True], ids=["half", "autocast"])
def test_sums_without_an_end_outgrow_no_narrow_type(narrow, mixed):
    """φ(q)·z passes the 65504 of float16, and z what bfloat16 can add 1 to."""
    torch.manual_seed(0)
    layer = nn.LinearAttention(D, 64).to(narrow)
    truth = nn.LinearAttention(D, 64).double()
    truth.load_state_dict(layer.state_dict())
    layer = layer.float() if mixed else layer
    x = (12 * torch.randn(2, 200, D)).to(narrow)
    given = x.float() if mixed else x
    with torch.no_grad(), torch.autocast("cpu", narrow, enabled=mixed):
        y, end = layer(given)
        state, steps = layer(given[:, :150])[1], []
        rest, _ = layer(given[:, 150:], state)
        for t in range(150, 200):
            one, state = layer.step(given[:, t], state)
            steps.append(one)
        step = layer.stepper(2, 200)
        stepped = [step(given[:, t]) for t in range(200)]
        trace = layer.trace(given, memory_steps=())
    with torch.no_grad():
        expected, after = truth(x.double())
    coarse, fine = (4e-3, 1e-4) if narrow == torch.float16 else (3e-2, 1e-3)

    def near(found, true, tolerance):
        assert (found.double() - true).norm() < tolerance * true.norm()

    assert y.dtype == narrow and end.memory.dtype == state.memory.dtype == torch.float32
    near(y, expected, coarse)
    near(rest, expected[:, 150:], coarse)
    near(torch.stack(steps, 1), expected[:, 150:], coarse)
    near(torch.stack(stepped, 1), expected, coarse)
    near(trace.output, expected, coarse)
    near(end.memory, after.memory, 10 * fine)
    near(state.memory, after.memory, 10 * fine)


def convolved(layer, x):
    """The short convolution as `torch.nn.functional.conv1d` computes it, over zeros and x."""
    rows = layer.qkv(x)
    if layer.convolution is None:
        return silu(rows)
    weight = layer.convolution.weight[:, None]
    padded = pad(rows.mT, (weight.shape[2] - 1, 0))
    return silu(conv1d(padded, weight, groups=len(weight)).mT)


def delta_rule(layer, x):
    """DeltaNet, gated or not, step by step with F written out, from zero."""
    count = layer.heads
    q, k, v = (heads(part, count) for part in convolved(layer, x).split(layer.parts, -1))
    q, k = (a / (a.square().sum(-1, keepdim=True) + 1e-6).sqrt() for a in (q, k))
    beta = torch.sigmoid(layer.strength(x)).transpose(1, 2)
    alpha = torch.ones_like(beta)
    if isinstance(layer, nn.GatedDeltaNet):
        rate = torch.exp(layer.log_rate) * softplus(layer.decay(x) + layer.decay_bias)
        alpha = torch.exp(-rate).transpose(1, 2)
    F, reads, memories = x.new_zeros(B, count, k.shape[-1], v.shape[-1]), [], []
    one = torch.eye(k.shape[-1], dtype=x.dtype)
    for t in range(T):
        key, b = k[:, :, t, :, None], beta[:, :, t, None, None]
        F = (one - b * key @ key.mT) @ (alpha[:, :, t, None, None] * F)  # as Gated DeltaNet has it
        F = F + b * key @ v[:, :, t, None]
        memories.append(F)
        read = (q[:, :, t, None] @ F)[:, :, 0]
        mean = read.square().mean(-1, keepdim=True)
        reads.append(read / (mean + 1e-5).sqrt() * layer.norm.weight)
    n = torch.stack(reads, 2).transpose(1, 2).flatten(2)
    if isinstance(layer, nn.GatedDeltaNet):
        n = n * silu(layer.gate(x))
    return layer.out(n), torch.stack(memories, 1)


@pytest.mark.parametrize("build", [nn.DeltaNet, nn.GatedDeltaNet])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"heads": 2, "key_size": 4, "value_size": 5},
        {"heads": 3, "convolution": 2},
        {"convolution": 1},
        {"convolution": None, "key_size": 3},
        {"convolution": 12},
    ],
    ids=str,
)
def test_delta_nets_are_their_equations(build, options):
    layer, x = made(build, **options), vectors()
    with torch.no_grad():
        y, memories = delta_rule(layer, x)
        outputs, end = layer(x)
        trace = layer.trace(x)
    agree(outputs, y)
    agree(end.memory, memories[:, -1])
    agree(trace.memory, memories)
    assert trace.read_weights.shape == (B, T, layer.heads, T)


def test_gated_delta_net_starts_where_published():
    layer = nn.GatedDeltaNet(5, 600, heads=300)
    rates = layer.log_rate.detach().exp()
    assert 0 < float(rates.min()) < 1 and 15 < float(rates.max()) <= 16
    sizes = softplus(layer.decay_bias.detach())
    assert 0.001 <= float(sizes.min()) < 0.002 and 0.08 < float(sizes.max()) <= 0.1
    assert layer.value_size == 2 * layer.key_sizes[0]


def test_a_short_convolution_sees_so_many_steps_and_no_more():
    layer = made(nn.DeltaNet, convolution=3)
    assert layer.initial_state(B).recent.shape == (B, 2, 3 * H)
    x = vectors().requires_grad_()
    mixed, _ = layer.access(x, None, None)
    (gradient,) = torch.autograd.grad(mixed.values[:, :, 5].sum(), x)
    assert (gradient[:, [3, 4, 5]] != 0).any(2).all()
    assert (gradient[:, [0, 1, 2, 6, 7, 8]] == 0).all()


@pytest.mark.parametrize("build", [nn.LinearAttention, nn.DeltaNet, nn.GatedDeltaNet])
def test_parameters(build):
    shapes = {n: tuple(p.shape) for n, p in build(5, 6, heads=2, key_size=4).named_parameters()}
    expected = {
        nn.LinearAttention: {"qkv.weight": (22, 5), "qkv.bias": (22,), "out.weight": (6, 6), "out.bias": (6,)},
        nn.DeltaNet: {
            "qkv.weight": (24, 5), "convolution.weight": (24, 4), "strength.weight": (2, 5),
            "norm.weight": (4,), "out.weight": (6, 8),
        },
        nn.GatedDeltaNet: {
            "qkv.weight": (32, 5), "convolution.weight": (32, 4), "strength.weight": (2, 5), "norm.weight": (8,),
            "out.weight": (6, 16), "decay.weight": (2, 5), "decay_bias": (2,), "log_rate": (2,),
            "gate.weight": (16, 5),
        },
    }  # fmt: skip
    assert shapes == expected[build]
