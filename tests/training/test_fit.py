import math
import signal
import threading
from dataclasses import FrozenInstanceError

import pytest
import torch
from regression import OURS, Regression, Stop, Told, network, recipe
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Diverged, Schedule, Settings, fit
from fastweights.training.engine import clock, seeds

BY_HAND = {
    "adam": lambda weights: torch.optim.Adam(weights, 1e-2, fused=True),
    "adamw": lambda weights: torch.optim.AdamW(weights, 1e-2, weight_decay=0.1, fused=True),
    "rmsprop": lambda weights: torch.optim.RMSprop(weights, 1e-2, alpha=0.9),
    "sgd": lambda weights: torch.optim.SGD(weights, 1e-2, momentum=0.8, fused=True),
}


@pytest.mark.parametrize("limit", [None, 0.5])
@pytest.mark.parametrize("name", BY_HAND)
def test_training_equals_a_loop_written_by_hand_to_the_bit(run, name, limit):
    steps = 30
    by_hand, source = network(), Regression()
    optimiser = BY_HAND[name](by_hand.parameters())
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda s: (s + 1) / 5 if s < 5 else (1 + math.cos(math.pi * (s - 5) / (steps - 5))) / 2,
    )
    torch.manual_seed(seeds.derive(0, "noise"))
    losses, norms = [], []
    for _ in range(steps):
        loss, _ = source.next_loss(by_hand)
        optimiser.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(by_hand.parameters(), limit or math.inf).item())
        optimiser.step()
        schedule.step()
        losses.append(loss.item())

    ours = network()
    chosen = recipe(steps, optimiser=OURS[name], clip=limit, evaluation_interval=1)
    outcome = fit(ours, Regression(), chosen, run)
    rows = run.metrics()[1:]
    assert [row["train_loss"] for row in rows] == losses
    assert [row["train_gradient_norm"] for row in rows] == norms
    for expected, weight in zip(by_hand.parameters(), ours.parameters(), strict=True):
        assert torch.equal(expected, weight)
    assert outcome.steps == steps and not outcome.interrupted
    assert outcome.metrics == rows[-1]
    assert rows[-1]["error"] < run.metrics()[0]["error"]


def test_a_last_step_that_ruins_the_model_is_told(run):
    class Blind(Regression):
        """Its losses tell nothing of the step; an evaluation does."""

        def evaluate(self, model):
            return {"cross_entropy": math.nan if run.metrics() else 1.0}

    with pytest.raises(Diverged, match="cross entropy is nan at step 5") as told:
        fit(network(), Blind(), recipe(5, evaluation_interval=5), run)
    assert told.value.step == 5


def test_rows_come_at_the_start_each_interval_and_the_end(run):
    told = Told()
    fit(network(), Regression(), recipe(17), run, progress=told)
    assert [row["step"] for row in run.metrics()] == [0, 7, 14, 17]
    assert told.rows == run.metrics()
    assert told.begun == [(0, 17)] and told.stopped == 1
    assert "train_loss" not in told.rows[0]


def test_means_run_over_the_steps_since_the_last_row(run, tmp_path):
    fit(network(), Regression(), recipe(14), run)
    each = Run.create(tmp_path / "each", {})
    fit(network(), Regression(), recipe(14, evaluation_interval=1), each)
    losses = [row["train_loss"] for row in each.metrics()[1:]]
    first, second = (row["train_loss"] for row in run.metrics()[1:])
    assert first == pytest.approx(sum(losses[:7]) / 7, rel=1e-12)
    assert second == pytest.approx(sum(losses[7:]) / 7, rel=1e-12)


def test_the_learning_rate_logged_is_that_of_the_last_step(run):
    chosen = recipe(14, schedule=Schedule(10))
    fit(network(), Regression(), chosen, run)
    rates = [row["learning_rate"] for row in run.metrics()]
    assert rates == pytest.approx([1e-3, 7e-3, 1e-2])


def test_global_random_numbers_and_mode_are_left_as_they_were(run):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    model = network()
    torch.set_rng_state(before)
    fit(model, Regression(), recipe(5), run)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training


class Timed(Regression):
    """A source for which time passes as set: a step 1 s and as much compiling, an evaluation 100 s."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.now = self.compiled = 0.0
        monkeypatch.setattr(clock, "perf_counter", lambda: self.now)
        monkeypatch.setattr(clock, "compiled_so_far", lambda: self.compiled)

    def next_loss(self, model):
        self.now += 2.0
        self.compiled += 1.0
        return super().next_loss(model)

    def evaluate(self, model):
        self.now += 100.0
        self.compiled += 10.0
        return super().evaluate(model)


def test_training_time_is_that_of_the_steps_without_compiling(run, monkeypatch):
    outcome = fit(network(), Timed(monkeypatch), recipe(15), run)
    assert outcome.seconds == 15.0
    assert outcome.compile_seconds == 15.0 + 4 * 10.0
    assert [row["seconds"] for row in run.metrics()] == [0.0, 7.0, 14.0, 15.0]


def test_training_time_goes_on_after_a_stop(run, monkeypatch):
    source = Timed(monkeypatch)
    fit(network(), source, recipe(20), run, stop=Stop(source, 10))
    outcome = fit(network(), Timed(monkeypatch), recipe(20), run)
    assert outcome.seconds == 20.0
    assert [row["seconds"] for row in run.metrics()] == [0.0, 7.0, 14.0, 20.0]


def test_nan_stops_at_its_step_and_keeps_the_last_good_checkpoint(run):
    model, told = network(dropout=0.0), Told()
    with pytest.raises(UserError, match=r"the loss is nan at step 13; .*step 10 is kept"):
        fit(model, Regression(poison=13), recipe(20, checkpoint_interval=5), run, progress=told)
    assert told.stopped == 1
    assert run.load_checkpoint().step == 10
    assert all(tensor.isfinite().all() for tensor in run.load_checkpoint().tensors.values())
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_an_infinite_gradient_under_a_finite_loss_stops_too(run):
    class Root(Regression):
        def next_loss(self, model):
            loss, metrics = super().next_loss(model)
            return loss + (model[0].bias.sum() * 0).sqrt(), metrics

    with pytest.raises(UserError, match=r"gradient norm is (nan|inf) at step 1; no checkpoint"):
        fit(network(), Root(), recipe(20), run)


def test_a_second_writer_is_refused(run):
    with run.lock, pytest.raises(UserError, match="being written"):
        fit(network(), Regression(), recipe(3), Run.open(run.folder))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_and_writes_a_checkpoint(run, number):
    before = signal.getsignal(number)

    class Interrupted(Regression):
        def next_loss(self, model):
            if self.step == 8:
                signal.raise_signal(number)
            return super().next_loss(model)

    outcome = fit(network(), Interrupted(), recipe(20), run)
    assert outcome.interrupted and outcome.steps == 9
    assert run.load_checkpoint().step == 9
    assert signal.getsignal(number) is before


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no such signal")
def test_sigusr1_saves_and_goes_on(run):
    before, saved = signal.getsignal(signal.SIGUSR1), {}

    class Asked(Regression):
        def next_loss(self, model):
            if self.step == 8:
                signal.raise_signal(signal.SIGUSR1)
            found = run.load_checkpoint()
            saved[self.step] = found.step if found else None
            return super().next_loss(model)

    outcome = fit(network(), Asked(), recipe(20), run)
    assert outcome.steps == 20 and not outcome.interrupted
    assert saved[8] is None and saved[9] == saved[19] == 9
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_second_ctrl_c_stops_at_once(run):
    class Twice(Regression):
        def next_loss(self, model):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        fit(network(), Twice(), recipe(20), run)
    assert run.load_checkpoint() is None


def test_training_in_a_thread_works(run):
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(fit(network(), Regression(), recipe(5), run))
    )
    thread.start()
    thread.join()
    assert outcomes[0].steps == 5


def test_settings_never_change():
    with pytest.raises(FrozenInstanceError):
        Settings(steps=1).steps = 2
