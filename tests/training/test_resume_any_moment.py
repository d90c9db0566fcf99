import logging
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from regression import OURS, Regression, Stop, Told, network, recipe, timeless
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run
from fastweights.training import Optimiser, Schedule, fit


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(run, model, expected_run, expected_model):
    assert timeless(run.metrics()) == timeless(expected_run.metrics())
    for name, tensor in weights(expected_model).items():
        assert torch.equal(model.state_dict()[name], tensor), name
    ours, theirs = run.load_checkpoint(), expected_run.load_checkpoint()
    assert ours.step == theirs.step
    for name, tensor in theirs.tensors.items():
        assert torch.equal(ours.tensors[name], tensor), name


@settings(max_examples=15, deadline=None)
@given(
    stops=st.lists(st.integers(0, 29), max_size=4).map(sorted),
    name=st.sampled_from(sorted(OURS)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    lost=st.booleans(),
)
def test_a_run_stopped_anywhere_and_resumed_equals_one_that_was_not(stops, name, dtype, lost):
    """`lost`: killed instead of stopped, so that it goes back to an older checkpoint and logs again."""

    class Source(Regression):
        def batch(self, generator, count=16):
            return tuple(part.to(dtype) for part in super().batch(generator, count))

    chosen = recipe(30, optimiser=OURS[name], checkpoint_interval=4 if lost else None)
    with tempfile.TemporaryDirectory() as folder:
        whole, whole_model = Run.create(Path(folder) / "whole", {}), network(dtype=dtype)
        fit(whole_model, Source(), chosen, whole)
        cut = Run.create(Path(folder) / "cut", {})
        for stop in stops:
            source = Source()
            if lost:
                source = Killed(source, stop)
                with pytest.raises(Kill):
                    fit(network(dtype=dtype), source, chosen, cut)
            else:
                halt = Stop(source, stop)
                outcome = fit(network(dtype=dtype), source, chosen, cut, stop=halt)
                assert outcome.interrupted and outcome.steps == stop
        model = network(dtype=dtype)
        outcome = fit(model, Source(), chosen, cut)
        assert outcome.steps == 30 and not outcome.interrupted
        assert_same(cut, model, whole, whole_model)


class Kill(BaseException):
    pass


class Killed:
    """A source under which the process dies at a step of the run."""

    def __init__(self, source, at):
        self.source, self.at = source, at

    def next_loss(self, model):
        if self.source.step == self.at:
            raise Kill
        return self.source.next_loss(model)

    def __getattr__(self, name):
        return getattr(self.source, name)


def test_a_finished_run_is_not_trained_again(run):
    first = fit(network(), Regression(), recipe(12), run)
    model = network()
    again = fit(model, Regression(), recipe(12), run)
    assert again._replace(seconds=first.seconds) == first
    assert again.seconds >= first.seconds
    assert torch.equal(model[0].weight, run.load_checkpoint().tensors["model.0.weight"])


def test_a_damaged_newest_checkpoint_costs_steps_but_no_bit(run, tmp_path, caplog):
    chosen = recipe(20, checkpoint_interval=5)
    whole, whole_model = Run.create(tmp_path / "whole", {}), network()
    fit(whole_model, Regression(), chosen, whole)
    source = Regression()
    fit(network(), source, chosen, run, stop=Stop(source, 13))
    victim = run.folder / "checkpoint" / "000000013" / "training.safetensors"
    victim.write_bytes(victim.read_bytes()[:-1])
    model, told = network(), Told()
    with caplog.at_level(logging.WARNING):
        fit(model, Regression(), chosen, run, progress=told)
    assert told.begun == [(10, 20)]
    assert "damaged" in caplog.text
    assert_same(run, model, whole, whole_model)


def test_resuming_with_other_settings_is_one_clear_line(run):
    source = Regression()
    fit(network(), source, recipe(20), run, stop=Stop(source, 5))
    for changes, told in (
        ({"clip": 0.25}, "another clip"),
        ({"optimiser": Optimiser("adam", 2e-2)}, "another optimiser"),
        ({"seed": 1}, "another seed"),
    ):
        with pytest.raises(UserError, match=told):
            fit(network(), Regression(), recipe(20, **changes), run)
    with pytest.raises(UserError, match="another steps"):
        fit(network(), Regression(), recipe(40), run)
    with pytest.raises(UserError, match="another model"):
        fit(nn.Sequential(nn.Linear(5, 3)), Regression(), recipe(20), run)


def test_a_constant_schedule_goes_on_beyond_its_end(run, tmp_path):
    constant = {"schedule": Schedule(5)}
    fit(network(), Regression(), recipe(14, **constant), run)
    model = network()
    fit(model, Regression(), recipe(21, **constant), run)
    whole, whole_model = Run.create(tmp_path / "whole", {}), network()
    fit(whole_model, Regression(), recipe(21, **constant), whole)
    assert_same(run, model, whole, whole_model)


def test_a_refused_resume_loses_nothing(run):
    chosen = recipe(20, evaluation_interval=1, checkpoint_interval=5)
    with pytest.raises(Kill):
        fit(network(), Killed(Regression(), 8), chosen, run)
    rows = run.metrics()
    with pytest.raises(UserError):
        fit(network(), Regression(), recipe(20, clip=0.1), run)
    assert run.metrics() == rows and rows[-1]["step"] == 8


def test_resuming_with_other_versions_says_so(run, caplog):
    source = Regression()
    fit(network(), source, recipe(20), run, stop=Stop(source, 5))
    run.config["versions"]["torch"] = "1.0"
    with caplog.at_level(logging.WARNING):
        fit(network(), Regression(), recipe(20), run)
    assert [record.message for record in caplog.records] == [
        f"resuming with torch {torch.__version__}, not 1.0: the last bits may differ"
    ]
