import json

import pytest
import torch

from fastweights import models, runs
from fastweights.errors import Note, UserError
from fastweights.runs import Run
from fastweights.runs.records import sealed

CONFIG = models.model_config("rnn", input=7, hidden=5, classes=3, readout=4)


@pytest.fixture
def trained(tmp_path):
    model = models.from_config(CONFIG)
    run = Run.create(tmp_path / "run", {"model": CONFIG})
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    run.save_checkpoint(1, weights | {"random.cpu": torch.get_rng_state()}, {})
    return run, model


def change(run, name, value):
    path = run.folder / "config.json"
    path.write_text(json.dumps(sealed({**json.loads(path.read_text()), name: value})))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_run_gives_its_model_back(trained, dtype):
    run, model = trained
    model.to(dtype)
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    run.save_checkpoint(2, weights, {})
    loaded = runs.load(str(run.folder))
    assert not loaded.training
    tokens = torch.randint(7, (2, 6))
    assert torch.equal(loaded(tokens)[0], model(tokens)[0])
    assert loaded(tokens)[0].dtype == dtype


def test_of_a_run_that_was_stopped_it_is_told_which_weights_these_are(trained):
    run, model = trained
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    kept = {"best": 0.5, "weights": 2, "evaluated": [2, 3]}
    run.save_checkpoint(4, weights, kept | {"finished": True})
    runs.load(run.folder)  # a word would be an error
    run.save_checkpoint(5, weights, kept | {"finished": False})
    with pytest.warns(Note, match="stopped at step 5: the weights are those of step 2, its best"):
        runs.load(run.folder)
    run.save_checkpoint(6, weights, {"best": None, "finished": False})
    runs.load(run.folder)


def test_a_run_without_a_checkpoint_is_one_clear_line(tmp_path):
    Run.create(tmp_path / "run", {"model": CONFIG})
    with pytest.raises(UserError, match="no checkpoint yet"):
        runs.load(tmp_path / "run")
    with pytest.raises(UserError, match="not a run folder"):
        runs.load(tmp_path)


def test_a_run_of_another_version_is_one_clear_line(trained):
    run, _ = trained
    change(run, "format", 1)
    with pytest.raises(UserError, match=r"has format 1, this .* reads 2: train it anew$"):
        runs.load(run.folder)


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"name": "rnn"},
        {**CONFIG, "name": "rrn"},
        {**CONFIG, "hidden": 6},
        {**CONFIG, "hidden": "many"},
        {**CONFIG, "surprise": 1},
        {**CONFIG, "options": {"surprise": 1}},
        {**CONFIG, "options": 3},
        {**CONFIG, "readout": None},
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_one_clear_line(trained, config):
    run, _ = trained
    change(run, "model", config)
    with pytest.raises(UserError) as caught:
        runs.load(run.folder)
    assert "\n" not in str(caught.value)
