"""Layers against truth that nobody here tuned: torch.nn, the NumPy oracle, and plain loops of the equations."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fastweights import nn, ops
from fastweights.errors import UserError
from fastweights.oracle.fast_weight_rnn import FastWeightRNN as Oracle

B, T, D, H = 3, 7, 5, 6  # batch, time, input and hidden sizes


def vectors(seed=0):
    return torch.randn(B, T, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def agree(a, b):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
def test_elman_is_torch_nn_rnn(nonlinearity):
    torch.manual_seed(3)
    layer = nn.ElmanRNN(D, H, nonlinearity=nonlinearity).double()
    torch.manual_seed(3)
    peer = torch.nn.RNN(D, H, nonlinearity=nonlinearity, batch_first=True).double()
    h = torch.randn(B, H, dtype=torch.float64)
    y, state = layer(vectors(), nn.HiddenState(h))
    peer_y, peer_h = peer(vectors(), h[None])
    agree(y, peer_y)
    agree(state.hidden, peer_h[0])


def test_gru_is_torch_nn_gru():
    torch.manual_seed(3)
    layer = nn.GRU(D, H).double()
    torch.manual_seed(3)
    peer = torch.nn.GRU(D, H, batch_first=True).double()
    h = torch.randn(B, H, dtype=torch.float64)
    y, state = layer(vectors(), nn.HiddenState(h))
    peer_y, peer_h = peer(vectors(), h[None])
    agree(y, peer_y)
    agree(state.hidden, peer_h[0])
    agree(layer.step(vectors()[:, 0], nn.HiddenState(h))[0], peer_y[:, 0])


@pytest.mark.parametrize("backend", ["auto", "cpu", "torch", "reference"])
def test_lstm_is_torch_nn_lstm(backend):
    """Same start, same names, and the same results and gradients."""
    torch.manual_seed(3)
    layer = nn.LSTM(D, H, backend=backend).double()
    torch.manual_seed(3)
    peer = torch.nn.LSTM(D, H, batch_first=True).double()
    if backend == "cpu" and ops.backend.unavailable("lstm", "cpu"):
        pytest.skip("no kernels here")
    layer.load_state_dict({f"rnn.{name}": value for name, value in peer.state_dict().items()})
    h, c = torch.randn(2, B, H, dtype=torch.float64)
    y, state = layer(vectors(), nn.LSTMState(h, c))
    peer_y, (peer_h, peer_c) = peer(vectors(), (h[None], c[None]))
    agree(y, peer_y)
    agree(state.hidden, peer_h[0])
    agree(state.cell, peer_c[0])
    found = torch.autograd.grad((y.square().sum() + state.cell.sum()), list(layer.parameters()))
    true = torch.autograd.grad((peer_y.square().sum() + peer_c.sum()), list(peer.parameters()))
    for one, other in zip(found, true, strict=True):
        agree(one, other)


def test_the_lstm_says_what_runs():
    assert nn.LSTM(D, H, backend="torch").backend_in_use == "torch"
    assert nn.LSTM(D, H, backend="reference").backend_in_use == "reference"
    assert nn.LSTM(D, H).backend_in_use in ("cpu", "torch")
    assert nn.LSTM(D, H).to("meta").backend_in_use == "torch"
    with pytest.raises(UserError, match="'cpu' cannot run lstm: the tensors are on meta"):
        assert nn.LSTM(D, H, backend="cpu").to("meta").backend_in_use


def test_lstm_forget_bias_reaches_the_forget_gate_alone():
    torch.manual_seed(3)
    plain = nn.LSTM(D, H).rnn.bias_ih_l0
    torch.manual_seed(3)
    biased = nn.LSTM(D, H, forget_bias=1.5).rnn.bias_ih_l0
    expected = torch.zeros(4, H)
    expected[1] = 1.5  # torch.nn's order: input, forget, cell, output
    torch.testing.assert_close((biased - plain).view(4, H), expected)


def test_irnn_is_a_relu_rnn_that_starts_as_the_identity():
    layer = nn.IRNN(D, H, input_std=0.5).double()
    assert (layer.rnn.weight_hh_l0 == torch.eye(H)).all()
    assert (layer.rnn.bias_ih_l0 == 0).all() and (layer.rnn.bias_hh_l0 == 0).all()
    C = layer.rnn.weight_ih_l0.detach()
    h, y = torch.zeros(B, H, dtype=torch.float64), []
    for x in vectors().unbind(1):
        h = (h + x @ C.T).clamp(min=0)
        y.append(h)
    agree(layer(vectors())[0].detach(), torch.stack(y, 1))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    flat=st.booleans(),
    steps=st.integers(1, 3),
    nonlinearity=st.sampled_from(["relu", "tanh"]),
    layer_norm=st.booleans(),
    preliminary=st.booleans(),
    learned=st.booleans(),
    backend=st.sampled_from(["auto", "reference", "chunked"]),
)
def test_fast_weight_rnn_is_the_oracle(
    seed, flat, steps, nonlinearity, layer_norm, preliminary, learned, backend
):
    assume(layer_norm or nonlinearity == "tanh")  # plain ReLU grows out of every bound
    torch.manual_seed(seed)
    options = {} if flat else {"inner_steps": steps, "preliminary_norm": preliminary}
    layer = nn.FastWeightRNN(
        D, H, form="flat" if flat else "inner", nonlinearity=nonlinearity, layer_norm=layer_norm,
        decay=0.8, rate=0.1, learn_decay=learned, learn_rate=learned, backend=backend, **options,
    ).double()  # fmt: skip
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    state = nn.FastWeightState(*(0.5 * torch.randn_like(part) for part in layer.initial_state(B)))
    named = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    truth = Oracle(
        named["recurrent.weight"],
        decay=float(named.get("decay", 0.8)),
        rate=float(named.get("rate", 0.1)),
        norm_weight=named.get("norm.weight"),
        norm_bias=named.get("norm.bias"),
        preliminary_norm_weight=named.get("preliminary_norm.weight"),
        preliminary_norm_bias=named.get("preliminary_norm.bias"),
        inner_steps=layer.inner_steps,
        nonlinearity=nonlinearity,
        form=layer.form,
    )
    drive = vectors(seed).numpy() @ named["input.weight"].T + named["input.bias"]
    outcome = truth.forward(drive, *(part.numpy() for part in state))

    y, end = layer(vectors(seed), state)
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(y.detach().numpy(), outcome.outputs, **close)
    np.testing.assert_allclose(end.hidden.detach().numpy(), outcome.hidden, **close)
    np.testing.assert_allclose(end.memory.detach().numpy(), outcome.memory, **close)


def test_fast_weight_rnn_parameter_names_and_start():
    layer = nn.FastWeightRNN(D, H, recurrent_scale=0.3, norm_gain=0.5, preliminary_norm=True)
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters()}
    assert shapes == {
        "input.weight": (H, D),
        "input.bias": (H,),
        "recurrent.weight": (H, H),
        "norm.weight": (H,),
        "norm.bias": (H,),
        "preliminary_norm.weight": (H,),
        "preliminary_norm.bias": (H,),
    }
    torch.testing.assert_close(layer.recurrent.weight.detach(), 0.3 * torch.eye(H))
    assert (layer.norm.weight == 0.5).all() and (layer.preliminary_norm.weight == 0.5).all()
    assert (layer.input.bias == 0).all() and (layer.norm.bias == 0).all()
    wide = nn.FastWeightRNN(300, 300, input_std=2.0).input.weight
    assert abs(float(wide.detach().std()) - 2.0) < 0.05
    assert "norm.weight" not in dict(nn.FastWeightRNN(D, H, layer_norm=False).named_parameters())
    learned = nn.FastWeightRNN(D, H, learn_decay=True, learn_rate=True)
    assert {"decay", "rate"} < dict(learned.named_parameters()).keys()
    assert nn.FastWeightRNN(D, H).decay == 0.95 and nn.FastWeightRNN(D, H).rate == 0.5


def test_the_backend_that_runs_is_named():
    layer = nn.FastWeightRNN(D, H, backend="chunked")
    assert layer.backend_in_use == "chunked" and "runs: chunked" in repr(layer)
    assert nn.FastWeightRNN(D, H).backend_in_use in ("cpu", "chunked")


def norm(a, layer):
    """LN over the last axis, in NumPy."""
    gain, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    centred = a - a.mean(-1, keepdims=True)
    return gain * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) + bias


def jitter(layer):
    """Move every parameter off its start, so that no gain of 1 or bias of 0 hides a slip."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return layer.double()


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
def test_layer_norm_rnn_is_its_equation(nonlinearity):
    layer = jitter(nn.LayerNormRNN(D, H, nonlinearity=nonlinearity))
    C, b, W = (
        p.detach().numpy() for p in (layer.input.weight, layer.input.bias, layer.recurrent.weight)
    )
    f = np.tanh if nonlinearity == "tanh" else lambda a: np.maximum(a, 0)
    h, y = np.zeros((B, H)), []
    for x in vectors().numpy().swapaxes(0, 1):
        h = f(norm(h @ W.T + x @ C.T + b, layer.norm))
        y.append(h)
    agree(layer(vectors())[0].detach(), np.stack(y, 1))


WIDE = 16
"""More units than steps: the past is then the smaller form."""


def two_paths(**options):
    layer = jitter(nn.TwoPathRNN(D, WIDE, decay=0.9, rate=0.3, **options))
    if layer.alpha is not None:
        layer.alpha.data.fill_(0.03)  # a stronger read grows from step to step
    return layer


@pytest.mark.parametrize("nonlinearity", ["relu", "tanh"])
def test_two_path_rnn_is_its_equation(nonlinearity):
    layer = two_paths(nonlinearity=nonlinearity)
    C, b, W, α = (
        p.detach().numpy()
        for p in (layer.input.weight, layer.input.bias, layer.recurrent.weight, layer.alpha)
    )
    f = np.tanh if nonlinearity == "tanh" else lambda a: np.maximum(a, 0)
    h, A, y = np.zeros((B, WIDE)), np.zeros((B, WIDE, WIDE)), []
    for x in vectors().numpy().swapaxes(0, 1):
        read = np.einsum("bij,bj->bi", A, h)
        h = f(norm(h @ W.T + x @ C.T + b, layer.norm)) + α * read
        A = 0.9 * A + 0.3 * h[:, :, None] * h[:, None, :]
        y.append(h)
    got, state = layer(vectors())
    agree(got.detach(), np.stack(y, 1))
    agree(state.memory.detach(), A)
    agree(layer(vectors(), need_state=False)[0].detach(), np.stack(y, 1))


def test_joint_paths_are_the_flat_form():
    joint = two_paths(paths="joint")
    shared = {"nonlinearity": "tanh", "decay": 0.9, "rate": 0.3}
    flat = nn.FastWeightRNN(D, WIDE, form="flat", **shared).double()
    flat.load_state_dict(joint.state_dict())
    agree(joint(vectors())[0].detach(), flat(vectors())[0].detach())


@pytest.mark.parametrize("paths", ["joint", "separate"])
def test_the_past_and_the_memory_have_the_same_gradients(paths):
    layer, gradients = two_paths(paths=paths, read_gradient=2.0), []
    for need_state in (False, True):
        layer.zero_grad()
        x = vectors().requires_grad_()
        layer(x, need_state=need_state)[0].square().sum().backward()
        gradients.append([x.grad, *(weight.grad for weight in layer.parameters())])
    for past, memory in zip(*gradients, strict=True):
        agree(past, memory)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3.0])
def test_the_gradient_of_a_read_is_multiplied(factor):
    """The loss is linear in one read, so its gradient by A(0) is the factor times the plain one; outputs stay."""
    outputs, gradients = [], []
    for each in (1.0, factor):
        torch.manual_seed(0)
        layer = jitter(nn.TwoPathRNN(D, H, alpha=0.5, read_gradient=each))
        memory = torch.randn(B, H, H, dtype=torch.double, requires_grad=True)
        state = nn.FastWeightState(torch.ones(B, H, dtype=torch.double), memory)
        y, _ = layer(vectors()[:, :1], state)
        y.sum().backward()
        outputs.append(y.detach())
        gradients.append(memory.grad)
    assert torch.equal(outputs[0], outputs[1])
    agree(gradients[1], factor * gradients[0])


def test_layer_norm_gru_is_its_equations():
    layer = jitter(nn.LayerNormGRU(D, H))
    W_x, W = np.split(layer.input.weight.detach().numpy(), [2 * H])
    W_h, U = np.split(layer.recurrent.weight.detach().numpy(), [2 * H])

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    h, y = np.zeros((B, H)), []
    for x in vectors().numpy().swapaxes(0, 1):
        gates = norm(h @ W_h.T, layer.recurrent_gate_norm) + norm(x @ W_x.T, layer.input_gate_norm)
        z, r = gates[:, :H], gates[:, H:]
        candidate = np.tanh(
            norm(x @ W.T, layer.input_norm) + sigmoid(r) * norm(h @ U.T, layer.recurrent_norm)
        )
        h = (1 - sigmoid(z)) * h + sigmoid(z) * candidate
        y.append(h)
    agree(layer(vectors())[0].detach(), np.stack(y, 1))


def test_stack_is_its_layers_one_after_the_other():
    first, second = nn.LSTM(D, 4).double(), nn.FastWeightRNN(4, H).double()
    y, state = nn.Stack([first, second])(vectors())
    middle, first_state = first(vectors())
    expected, second_state = second(middle)
    agree(y, expected)
    agree(state[0].cell, first_state.cell)
    agree(state[1].memory, second_state.memory)
