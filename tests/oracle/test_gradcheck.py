"""The oracle is right: by hand, by the attention form, and by finite differences."""

import numpy as np
import pytest
import torch

from fastweights.oracle import fast_weight_rnn_gradcheck as rnn
from fastweights.oracle import gradcheck
from fastweights.oracle.fast_weight_rnn import FastWeightRNN

LIMIT = 1e-8
SMALL = {"batch": 1, "time": 3, "hidden": 3}


@pytest.mark.parametrize("seed, sizes", [(0, {}), (1, SMALL), (2, SMALL)])
def test_derived_gradients_equal_finite_differences(seed, sizes):
    rows = rnn.check(seed, **sizes)
    assert {row["case"] for row in rows} == {str(case) for case in rnn.CASES}
    assert [row for row in rows if not row["max_relative_error"] <= LIMIT] == []


@pytest.mark.parametrize(
    "name", ["drive", "recurrent_weight", "decay", "rate", "norm_weight", "hidden", "memory"]
)
def test_a_wrong_gradient_is_seen(name, monkeypatch):
    """A gradient wrong by a millionth fails the check, so passing it means something."""
    right = FastWeightRNN.backward

    def wrong(self, *given):
        gradients = right(self, *given)
        return {k: g * (1 + 1e-6) if k == name else g for k, g in gradients.items()}

    monkeypatch.setattr(FastWeightRNN, "backward", wrong)
    worst = {row["parameter"] for row in rnn.check(0, **SMALL) if row["max_relative_error"] > LIMIT}
    assert worst == {name}


def test_two_steps_by_hand():
    """One unit, ReLU, no LN, λ = .9, η = .5, W = .5, drive 1, 1.

    t = 1: z = 1, A = 0, h = 1, then A = .5.
    t = 2: z = 1.5, h_0 = 1.5, h = 1.5 + .5 · 1.5 = 2.25, then A = .45 + .5 · 2.25².
    """
    outcome = FastWeightRNN(np.array([[0.5]]), decay=0.9, rate=0.5).forward(np.ones((1, 2, 1)))
    assert outcome.outputs.flatten().tolist() == pytest.approx([1.0, 2.25])
    assert outcome.memory.item() == pytest.approx(0.45 + 0.5 * 2.25**2)


def test_two_steps_of_the_flat_form_by_hand():
    """t = 2: h = 1 + .5 · 1 + A(1) h(1) = 1.5 + .5 · 1."""
    network = FastWeightRNN(np.array([[0.5]]), decay=0.9, rate=0.5, form="flat")
    assert network.forward(np.ones((1, 2, 1))).outputs.flatten().tolist() == pytest.approx([1, 2])


@pytest.mark.parametrize("case", rnn.CASES, ids=str)
def test_the_memory_is_attention_to_the_past(case):
    """A(t-1) h_s = λ^(t-1) A(0) h_s + η Σ_τ λ^(t-1-τ) h(τ) ⟨h(τ), h_s⟩, the paper's equation 4."""
    point = rnn.draw(case, np.random.default_rng(0), batch=2, time=6, hidden=5)
    _, outcome = rnn.run(case, point)
    decay, rate = float(point["decay"]), float(point["rate"])
    for t, step in enumerate(outcome.steps):
        for h_s, z in zip(step.settled, step.inputs, strict=False):
            read = decay**t * np.stack([A @ h for A, h in zip(point["memory"], h_s, strict=True)])
            for past in range(t):
                h = outcome.outputs[:, past]
                read += rate * decay ** (t - 1 - past) * h * (h * h_s).sum(1, keepdims=True)
            np.testing.assert_allclose(z - step.slow, read, rtol=1e-10, atol=1e-12)


def test_layer_norm_is_torchs():
    case = rnn.Case(inner_steps=2)
    point = rnn.draw(case, np.random.default_rng(0), batch=2, time=3, hidden=5)
    _, outcome = rnn.run(case, point)
    gain, bias = (torch.tensor(point[name]) for name in ("norm_weight", "norm_bias"))
    for step in outcome.steps:
        for z, h in zip(step.inputs, step.settled[1:], strict=True):
            normed = torch.nn.functional.layer_norm(torch.tensor(z), (5,), gain, bias, 1e-5)
            np.testing.assert_allclose(h, torch.relu(normed).numpy(), rtol=1e-12, atol=1e-13)


def test_differences_of_a_function_with_a_known_gradient():
    x = {"a": np.array([0.3, -1.2]), "b": np.array(0.7)}
    slope = gradcheck.differences(lambda p: float((np.sin(p["a"]) * np.exp(p["b"])).sum()), x)
    assert gradcheck.relative_error(slope["a"], np.cos(x["a"]) * np.exp(x["b"])) < 1e-11
    assert gradcheck.relative_error(slope["b"], np.sin(x["a"]).sum() * np.exp(x["b"])) < 1e-11


def test_relative_error_of_zeros_is_zero():
    assert gradcheck.relative_error(np.zeros(2), np.zeros(2)) == 0
    assert gradcheck.relative_error(np.zeros(2), np.ones(2)) == 1
