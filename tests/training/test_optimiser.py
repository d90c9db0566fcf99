import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fastweights.errors import UserError
from fastweights.training import Optimiser, Schedule, Settings
from fastweights.training.engine.optimiser import clip, global_norm


@given(warmup=st.integers(0, 20), steps=st.integers(1, 60), floor=st.floats(0, 1))
def test_warm_up_rises_linearly_and_the_cosine_falls_to_its_floor(warmup, steps, floor):
    schedule = Schedule(warmup, "cosine", floor)
    factors = [schedule.factor(step, steps) for step in range(steps + 1)]
    assert factors[:warmup] == [(step + 1) / warmup for step in range(min(warmup, steps + 1))]
    after = factors[warmup:]
    assert all(a >= b for a, b in pairwise(after))
    assert all(floor - 1e-12 <= factor <= 1 for factor in after)
    if len(after) > 1:
        assert after[0] == 1.0
        assert after[-1] == pytest.approx(floor, abs=1e-12)


def test_the_cosine_is_torchs():
    weight = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], 1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50, eta_min=0.1)
    for step in range(50):
        assert Schedule(0, "cosine", 0.1).factor(step, 50) == pytest.approx(cosine.get_last_lr()[0])
        optimiser.step()
        cosine.step()


def test_a_constant_schedule_stays():
    assert [Schedule(2).factor(step, 5) for step in range(5)] == [0.5, 1, 1, 1, 1]


@given(limit=st.floats(1e-3, 1e3), scale=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_the_clip_is_torchs_to_the_bit(limit, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = [nn.Parameter(torch.zeros(shape)) for shape in [(3, 4), (5,), ()]]
    for weight in weights:
        weight.grad = scale * torch.randn(weight.shape, generator=generator)
    ours = [weight.grad.clone() for weight in weights]
    expected = nn.utils.clip_grad_norm_(weights, limit)
    norm = global_norm(ours)
    clip(ours, norm, limit)
    assert torch.equal(norm, expected)
    for gradient, weight in zip(ours, weights, strict=True):
        assert torch.equal(gradient, weight.grad)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "sgd"])
def test_constants_reach_torch(name):
    built = Optimiser(name, 0.5, (0.8, 0.9), 1e-5, 0.25).build([nn.Parameter(torch.zeros(2))])
    assert type(built).__name__.lower() == name
    group = built.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.25)
    expected = {
        "adam": {"betas": (0.8, 0.9), "eps": 1e-5},
        "adamw": {"betas": (0.8, 0.9), "eps": 1e-5},
        "rmsprop": {"alpha": 0.9, "eps": 1e-5},
        "sgd": {"momentum": 0.8},
    }[name]
    assert {key: group[key] for key in expected} == expected


def test_complex_weights_train_too():
    weight = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    optimiser = Optimiser("adam", 0.1).build([weight])
    weight.abs().square().sum().backward()
    optimiser.step()
    assert (weight.real < 1).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Optimiser("adma"),
        lambda: Optimiser(learning_rate=0.0),
        lambda: Optimiser(learning_rate=math.nan),
        lambda: Optimiser(betas=(0.9, 1.0)),
        lambda: Optimiser(eps=-1.0),
        lambda: Optimiser(weight_decay=-1.0),
        lambda: Schedule(-1),
        lambda: Schedule(decay="linear"),
        lambda: Schedule(floor=2.0),
        lambda: Settings(0),
        lambda: Settings(5, clip=-1.0),
        lambda: Settings(5, clip=math.nan),
        lambda: Settings(5, evaluation_interval=0),
        lambda: Settings(5, checkpoint_interval=0),
        lambda: Settings(5, checkpoint_seconds=-1.0),
        lambda: Settings(5, checkpoint_seconds=math.nan),
        lambda: Settings(5, device="gpu"),
    ],
)
def test_what_cannot_be_is_one_clear_line(make):
    with pytest.raises(UserError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_unknown_optimiser_is_told_the_nearest():
    with pytest.raises(UserError, match="did you mean 'adam'"):
        Optimiser("adma")
