"""The deep residual LSTM: its equations, and the sizes of the paper's table 1."""

import numpy as np
import torch

from fastweights import models, nn
from fastweights import state as states


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_it_is_its_equations():
    """One row, step by step, layer by layer, in NumPy."""
    D, H, L, T = 5, 4, 3, 6
    layer = nn.ResidualLSTM(D, H, layers=L, hidden_dropout=0.9, recurrent_dropout=0.9)
    layer = layer.double().eval()
    x = torch.randn(1, T, D, dtype=torch.float64)
    weights = [
        {name.removeprefix("rnn."): p.detach().numpy() for name, p in one.named_parameters()}
        for one in layer.layers
    ]
    h, c, outputs = np.zeros((L, H)), np.zeros((L, H)), []
    for t in range(T):
        y = x[0, t].numpy()
        for place, w in enumerate(weights):
            sums = w["weight_ih_l0"] @ y + w["weight_hh_l0"] @ h[place]
            i, f, g, o = np.split(sums + w["bias_ih_l0"] + w["bias_hh_l0"], 4)
            c[place] = sigmoid(f) * c[place] + sigmoid(i) * np.tanh(g)
            h[place] = sigmoid(o) * np.tanh(c[place])
            y = h[place] if place == 0 else y + h[place]
        outputs.append(y)
    y, state = layer(x)
    torch.testing.assert_close(y[0].detach(), torch.from_numpy(np.stack(outputs)))
    for place, part in enumerate(state):
        torch.testing.assert_close(part.hidden[0].detach(), torch.from_numpy(h[place]))
        torch.testing.assert_close(part.cell[0].detach(), torch.from_numpy(c[place]))


def test_sizes_of_the_paper():
    """8M weights with an embedding of 256 and a head over catbAbI's words, and 4,096 activations."""
    config = models.model_config("residual-lstm", input=200, hidden=512, classes=200, embedding=256)
    model = models.from_config(config)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 8.0
    assert sum(part[0].numel() for part in states.tensors(model.initial_state(1))) == 4096


def test_dropout_averages_out():
    """The mean of many noisy forwards is near the quiet one, where the network is nearly linear."""
    layer = nn.ResidualLSTM(3, 32, layers=2, recurrent_dropout=0.2, hidden_dropout=0.2).double()
    x = 0.1 * torch.randn(1, 5, 3, dtype=torch.float64)
    with torch.no_grad():
        noisy = torch.cat([layer(x)[0] for _ in range(100)])
        quiet = layer.eval()(x)[0]
    assert (noisy[0] - noisy[1]).abs().max() > 1e-4
    error = (noisy.mean(0) - quiet[0]).abs()
    assert (error < 5 * noisy.std(0) / 10 + 1e-4).all()
