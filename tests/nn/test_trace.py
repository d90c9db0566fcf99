"""What `trace` shows is what the layer did: the read weights rebuild every read of the memory."""

import pytest
import torch

from fastweights import nn

B, T, D, H = 2, 8, 4, 5

layers = pytest.mark.parametrize(
    "options",
    [
        {},
        {"inner_steps": 3, "nonlinearity": "tanh"},
        {"form": "flat", "nonlinearity": "tanh"},
        {"preliminary_norm": True, "learn_decay": True, "learn_rate": True},
        {"layer_norm": False, "rate": 0.05, "input_std": 0.3},
    ],
    ids=["inner", "three-steps", "flat", "preliminary", "no-norm"],
)


def made(options):
    torch.manual_seed(0)
    layer = nn.FastWeightRNN(D, H, **options).double()
    x = torch.randn(B, T, D, dtype=torch.float64)
    _, state = layer(torch.randn(B, 3, D, dtype=torch.float64))
    return layer, x, state


@layers
@pytest.mark.parametrize("carried", [False, True])
def test_read_weights_rebuild_the_outputs(options, carried):
    """h(t) follows from its own reads: slow drive + carried memory + Σ_τ weight(τ) h(τ)."""
    layer, x, state = made(options)
    trace = layer.trace(x, state if carried else None)
    weights, h = trace.read_weights, trace.hidden
    assert weights.shape == (B, T, layer.inner_steps, T)
    f = torch.relu if layer.nonlinearity == "relu" else torch.tanh
    start = state if carried else layer.initial_state(B)
    for t in range(T):
        before = h[:, t - 1] if t else start.hidden
        slow = layer.recurrent(before) + layer.input(x[:, t])
        first = f(layer.preliminary_norm(slow) if layer.preliminary_norm else slow)
        h_s = before if layer.form == "flat" else first
        for s in range(layer.inner_steps):
            recent = (weights[:, t, s, :, None] * h).sum(1)
            older = layer.decay**t * (start.memory @ h_s[:, :, None])[:, :, 0]
            z = slow + older + recent
            h_s = f(layer.norm(z) if layer.norm else z)
        torch.testing.assert_close(h_s, h[:, t], rtol=1e-9, atol=1e-9)


@layers
def test_nothing_is_read_before_it_is_written(options):
    layer, x, state = made(options)
    weights = layer.trace(x, state).read_weights
    future = torch.ones(T, T, dtype=torch.bool).triu()  # a step cannot read what it is to write
    assert (weights.transpose(1, 2)[:, :, future] == 0).all()
    assert (weights.transpose(1, 2)[:, :, ~future] != 0).any()


@layers
def test_memory_is_that_of_the_steps(options):
    layer, x, state = made(options)
    trace = layer.trace(x, state, memory_steps=[0, 3, 7])
    assert trace.memory_steps == (0, 3, 7) and trace.memory.shape == (B, 3, H, H)
    for place, step in enumerate(trace.memory_steps):
        _, end = layer(x[:, : step + 1], state)
        torch.testing.assert_close(trace.memory[:, place], end.memory, rtol=1e-9, atol=1e-9)


def test_no_memory_step_asked_for():
    layer, x, _ = made({})
    trace = layer.trace(x, memory_steps=[])
    assert trace.memory_steps == () and trace.memory.shape == (B, 0, H, H)


@pytest.mark.parametrize("build", [nn.LSTM, nn.IRNN, nn.ElmanRNN, nn.LayerNormRNN, nn.LayerNormGRU])
def test_layers_that_do_not_attend_say_so(build):
    layer = build(D, H)
    x = torch.randn(B, T, D)
    trace = layer.trace(x)
    assert trace.read_weights is None and trace.memory is None
    torch.testing.assert_close(trace.hidden, layer(x)[0])


def test_a_stack_shows_its_last_layer():
    first, last = nn.LSTM(D, 6), nn.FastWeightRNN(6, H)
    x = torch.randn(B, T, D)
    trace = nn.Stack([first, last]).trace(x)
    torch.testing.assert_close(trace.read_weights, last.trace(first(x)[0]).read_weights)
    assert trace.state[0].cell.shape == (B, 6)
