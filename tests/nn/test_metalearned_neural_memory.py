"""Metalearned Neural Memory: its equations in plain loops, its sizes, and its objective of its own."""

import copy

import numpy as np
import pytest
import torch

from fastweights import models, nn
from fastweights import state as states
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss

B, T, D, H, SIZE, HEADS, LAYERS = 2, 5, 4, 6, 3, 2, 3


def built(**options):
    options = {"memory_size": SIZE, "heads": HEADS, "memory_layers": LAYERS} | options
    return nn.MetalearnedNeuralMemory(D, H, **options).double()


def vectors(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_hand(layer, x, state):
    """One row, one head and one layer of the memory at a time, in NumPy: outputs, errors and the end."""
    w = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    heads, size, layers = layer.heads, layer.memory_size, layer.memory_layers
    outputs, errors, ends = [], [], []
    for row in range(len(x)):
        h, c, r, written = (part[row].numpy() for part in state)
        M = [layer.start[place].numpy() + written[place] for place in range(layers)]

        def through(M, key):
            zs = [key]
            for place in range(layers):
                z = zs[-1] @ M[place]
                zs.append(z if place == layers - 1 else np.tanh(z))
            return zs

        outputs.append([]), errors.append([])
        for x_t in x[row].numpy():
            sums = w["input.weight"] @ x_t + w["input.bias"]
            sums = sums + w["recurrent.weight"] @ np.concatenate([h, r])
            i, f, g, o = np.split(sums, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            s, *rest = np.split(
                np.tanh(w["interface.weight"] @ h + w["interface.bias"]), 1 + 3 * heads
            )
            keys, values, queries = rest[:heads], rest[heads : 2 * heads], rest[2 * heads :]
            strength = sigmoid(w["strength.weight"] @ s + w["strength.bias"])[0]
            change = [np.zeros((size, size)) for _ in range(layers)]
            for key, value in zip(keys, values, strict=True):
                zs = through(M, key)
                targets = np.split(w["targets.weight"] @ value + w["targets.bias"], layers)
                for place in range(layers):
                    missing = targets[place] - zs[place + 1]
                    change[place] += 2 * strength / (heads * size) * np.outer(zs[place], missing)
            M = [old + new for old, new in zip(M, change, strict=True)]
            pairs = zip(keys, values, strict=True)
            errors[-1].append(np.mean([(through(M, k)[-1] - v) ** 2 for k, v in pairs]))
            r = np.mean([through(M, query)[-1] for query in queries], 0)
            outputs[-1].append(w["output.weight"] @ np.concatenate([h, r]) + w["output.bias"])
        ends.append((h, c, r, np.stack(M) - layer.start.numpy()))
    ends = [torch.from_numpy(np.stack(part)) for part in zip(*ends, strict=True)]
    return torch.from_numpy(np.array(outputs)), torch.from_numpy(np.array(errors)), ends


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_its_equations(heads, layers):
    layer = built(heads=heads, memory_layers=layers)
    state = layer.state_type(*(0.5 * vectors(B, *shape) for shape in layer.state_shapes()))
    x = vectors(B, T, D)
    outputs, errors, ends = by_hand(layer, x, state)
    y, end = layer(x, state)
    torch.testing.assert_close(y.detach(), outputs)
    torch.testing.assert_close([part.detach() for part in end], ends)
    torch.testing.assert_close(layer.auxiliary_loss.detach(), errors.mean())


def test_sizes_of_the_paper():
    """1.1M weights and 30.5k activations: three layers of 100 × 100 and an LSTM of 256."""
    config = models.model_config("mnm", input=200, hidden=256, classes=200, embedding=256)
    model = models.from_config(config)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == 1.1
    state = model.initial_state(1)
    assert sum(part.numel() for part in states.tensors(state)) == 30_512 + 100
    assert state.read.shape == (1, 100)


def test_the_start_is_saved_and_not_learned():
    layer = built()
    assert "start" in layer.state_dict()
    assert "start" not in dict(layer.named_parameters())
    bound = 1 / SIZE**0.5
    assert layer.start.abs().max() <= bound and layer.start.std() > bound / 3


def test_the_objective_is_of_training_alone():
    layer, x = built(), vectors(B, T, D)
    layer(x)
    assert layer.auxiliary_loss.requires_grad
    layer.eval()(x)
    assert layer.auxiliary_loss is None


def test_the_objective_is_the_mean_over_real_steps():
    layer, x = built(), vectors(B, T, D)
    mask = torch.tensor([[True] * 4 + [False], [False] * 3 + [True] * 2])
    total = 0
    for row, real in enumerate(mask):
        layer(x[row, real][None])
        total = total + real.sum() * layer.auxiliary_loss
    layer(x.where(mask[:, :, None], torch.nan), mask=mask)
    torch.testing.assert_close(layer.auxiliary_loss, total / mask.sum())
    layer(x, mask=torch.zeros_like(mask))
    assert layer.auxiliary_loss == 0


def test_the_objectives_of_all_layers_add_up():
    stack = nn.Stack([built(), nn.LSTM(H, D).double(), built()])
    model = torch.nn.Sequential(stack)
    assert auxiliary_loss(model) is None
    stack(vectors(B, T, D))
    parts = [layer.auxiliary_loss for layer in stack.layers if layer.auxiliary_loss is not None]
    assert len(parts) == 2
    torch.testing.assert_close(auxiliary_loss(model), parts[0] + parts[1])


def test_a_copy_does_not_take_the_last_objective_along():
    layer, x = built(), vectors(B, T, D)
    y, _ = layer(x)
    twin = copy.deepcopy(layer)
    assert twin.auxiliary_loss is None and layer.auxiliary_loss is not None
    torch.testing.assert_close(twin(x)[0], y)


def test_trace_shows_the_memory_of_its_steps():
    layer, x = built(), vectors(B, T, D)
    trace = layer.trace(x, memory_steps=[0, 3])
    for place, step in enumerate(trace.memory_steps):
        _, end = layer(x[:, : step + 1])
        torch.testing.assert_close(trace.memory[:, place], end.memory)
        torch.testing.assert_close(trace.hidden[:, step], end.hidden)
    assert layer.trace(x, memory_steps=[]).memory.shape == (B, 0, LAYERS, SIZE, SIZE)


def test_it_learns_to_write():
    """Its own objective, descended, brings the memory near what it was told."""
    layer, x = built(memory_size=8).float(), torch.randn(16, 8, D)
    optimiser = torch.optim.Adam(layer.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        layer(x)
        optimiser.zero_grad()
        layer.auxiliary_loss.backward()
        optimiser.step()
        losses.append(float(layer.auxiliary_loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
