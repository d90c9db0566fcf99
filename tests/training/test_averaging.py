"""Averaged SGD after plain training, held against torch.optim in a loop by hand and against means in NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from regression import Regression, Stop, network, recipe, timeless
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Averaging, Optimiser, Schedule, fit
from fastweights.training.engine import seeds

STEPS, START = 30, 12
AVERAGING = Averaging(0.05, start=START, metric="error")


def chosen(steps=STEPS, **changes):
    defaults = {"schedule": Schedule(5), "averaging": AVERAGING, "keep": None}
    return recipe(steps, **(defaults | changes))


class Weighed(Regression):
    """Its batches count for more or less of the learning rate."""

    def next_loss(self, model):
        found = super().next_loss(model)
        self.rate_factor = 0.5 + (self.step % 3) / 4
        return found


def by_hand(source, steps=STEPS):
    """Train as `chosen` says with torch.optim alone; give the weights after each step, and the averages at the end."""
    model = network()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2, weight_decay=0.01, fused=True)
    torch.manual_seed(seeds.derive(0, "noise"))
    visited = []
    for step in range(steps):
        rate = 1e-2 * min(1, (step + 1) / 5)
        if step >= START:
            rate = 0.05
        if step == START:
            optimiser = torch.optim.ASGD(model.parameters(), 0.05, lambd=0, t0=0, weight_decay=0.01)
        loss, _ = source.next_loss(model)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimiser.param_groups[0]["lr"] = rate * getattr(source, "rate_factor", 1.0)
        optimiser.step()
        visited.append([weight.detach().clone() for weight in model.parameters()])
    return visited, [optimiser.state[weight].get("ax") for weight in model.parameters()]


@pytest.mark.parametrize("make", [Regression, Weighed])
def test_it_is_torchs_own_to_the_bit(run, make):
    visited, averages = by_hand(make())
    model = network()
    fit(model, make(), chosen(optimiser=Optimiser("adam", 1e-2, weight_decay=0.01)), run)
    tensors = run.load_checkpoint().tensors
    for place, (name, weight) in enumerate(model.named_parameters()):
        assert torch.equal(tensors[f"trained.{name}"], visited[-1][place])
        assert torch.equal(tensors[f"model.{name}"], averages[place])
        assert torch.equal(weight, averages[place])  # what the user is left with
        mean = np.mean([weights[place].numpy() for weights in visited[START + 1 :]], 0)
        np.testing.assert_allclose(weight.detach(), mean, rtol=1e-5, atol=1e-6)


def test_a_source_scales_the_rate_of_its_own_batch(run):
    """Before the switch, with the schedule's factor besides."""
    visited, _ = by_hand(Weighed(), START)
    optimiser = Optimiser("adam", 1e-2, weight_decay=0.01)
    model = network()
    fit(model, Weighed(), chosen(START, optimiser=optimiser, averaging=None), run)
    assert all(map(torch.equal, model.parameters(), visited[-1]))


def test_evaluations_are_of_the_averages(run):
    seen = []

    class Watched(Regression):
        def evaluate(self, model):
            seen.append([weight.detach().clone() for weight in model.parameters()])
            return super().evaluate(model)

    visited, averages = by_hand(Regression())
    settings = chosen(
        optimiser=Optimiser("adam", 1e-2, weight_decay=0.01), evaluations=(START, STEPS)
    )
    fit(network(), Watched(), settings, run)
    assert all(map(torch.equal, seen[1], visited[START - 1]))
    assert all(map(torch.equal, seen[2], averages))
    assert [row["learning_rate"] for row in run.metrics()][1:] == [1e-2, 0.05]


@given(
    readings=st.lists(st.integers(0, 9).map(float), max_size=25),
    patience=st.integers(1, 6),
)
def test_the_trigger_is_the_published_one(readings, patience):
    rule, switched, logs = Averaging(1.0, patience=patience), None, []
    for t, v in enumerate(readings):  # Merity et al. 2018, algorithm 1
        if switched is None and t > patience and v > min(logs[: t - patience]):
            switched = t
        logs.append(v)
    ours = [t for t, v in enumerate(readings) if rule.triggered(readings[:t], v)]
    assert (ours[0] if ours else None) == switched


class Readings(Regression):
    """A source whose evaluations read as set, by step; steps not named read 9."""

    def __init__(self, readings):
        super().__init__()
        self.readings = readings

    def evaluate(self, model):
        return {"error": self.readings.get(self.step, 9.0)}


def test_a_run_switches_where_it_gets_no_better(run):
    source = Readings({0: 0.0, 2: 5.0, 4: 4.0, 6: 4.5, 8: 4.4, 10: 4.6})
    rule = Averaging(0.05, patience=2, metric="error")
    fit(network(), source, chosen(14, averaging=rule, evaluation_interval=2), run)
    rates = {row["step"]: row["learning_rate"] for row in run.metrics()}
    # At 8, the best but for the last two is 5; at 10 it is 4. The untrained model's reading does not count.
    assert rates[10] == 1e-2 and rates[12] == rates[14] == 0.05


PHASES = {
    "start": {},
    "kept": {"keep": "error"},
    "patience": {"averaging": Averaging(0.05, patience=1, metric="error")},
    "both": {"averaging": Averaging(0.05, 9, 1, "error"), "keep": "error"},
    "kept alone": {"averaging": None, "keep": "error"},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PHASES)
def test_stopped_before_at_and_after_the_switch_and_resumed(tmp_path, name, dtype):
    class Source(Weighed):
        def batch(self, generator, count=16):
            return tuple(part.to(dtype) for part in super().batch(generator, count))

        def evaluate(
            self, model
        ):  # up and down, so that patience ends and the last is not the best
            return {"error": super().evaluate(model)["error"] + self.step % 7}

    settings = chosen(18, evaluation_interval=3, **PHASES[name])
    whole, whole_model = Run.create(tmp_path / "whole", {}), network(dtype=dtype)
    fit(whole_model, Source(), settings, whole)
    theirs = whole.load_checkpoint()
    for stop in range(0, 18, 1 if name == "both" else 4):
        cut, source = Run.create(tmp_path / f"{stop}", {}), Source()
        fit(network(dtype=dtype), source, settings, cut, stop=Stop(source, stop))
        model = network(dtype=dtype)
        fit(model, Source(), settings, cut)
        assert timeless(cut.metrics()) == timeless(whole.metrics())
        ours = cut.load_checkpoint()
        assert ours.tensors.keys() == theirs.tensors.keys()
        for key, tensor in theirs.tensors.items():
            assert torch.equal(ours.tensors[key], tensor), (key, stop)
            assert ours.tensors[key].dtype == tensor.dtype, (key, stop)
        assert all(map(torch.equal, model.state_dict().values(), whole_model.state_dict().values()))
        for meta in ("averaging", "best"):
            assert ours.meta[meta] == theirs.meta[meta]


@pytest.mark.parametrize("metric", ["eror", "biases"])
def test_a_metric_that_is_not_there_is_told_at_once(run, metric):
    rule = Averaging(0.05, patience=2, metric=metric)
    with pytest.raises(UserError, match=f"unknown metric '{metric}'.*error"):
        fit(network(), Regression(), chosen(averaging=rule), run)
    assert run.load_checkpoint() is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Averaging(0.0, start=1),
        lambda: Averaging(math.inf, start=1),
        lambda: Averaging(1.0),
        lambda: Averaging(1.0, start=-1),
        lambda: Averaging(1.0, patience=0),
    ],
)
def test_what_cannot_be_is_one_clear_line(make):
    with pytest.raises(UserError) as caught:
        make()
    assert "\n" not in str(caught.value)
