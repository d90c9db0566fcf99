"""Models inside what other tools put around them: what is recorded loads and resumes, or is refused at the start."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import fastweights
from fastweights import models, tasks
from fastweights.errors import Note, UserError
from fastweights.runs import Run
from fastweights.training import Settings, Supervised, fit

CONFIG = models.model_config("lstm", input=37, hidden=8, classes=10)
KEPT = Settings(steps=6, evaluation_interval=4, keep="cross_entropy")


class Around(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *given, **options):
        return self.model(*given, **options)


class Compiled(nn.Module):
    """What `torch.compile` returns, which itself cannot look through the checks of shapes that tests run with."""

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def forward(self, *given, **options):
        return self._orig_mod(*given, **options)


def built():
    torch.manual_seed(3)
    return models.from_config(CONFIG)


def source():
    return Supervised(tasks.Retrieval(), batch=8, validation_size=16, probe_size=0)


def run_in(folder):
    return Run.create(folder, {"model": CONFIG})


@pytest.mark.parametrize("wrap", [Compiled, nn.DataParallel])
def test_a_wrapped_model_loads_and_resumes_as_the_bare_one(wrap, tmp_path):
    for name, inner in (("wrapped", wrap), ("bare", lambda model: model)):
        run = run_in(tmp_path / name)
        fit(inner(built()), source(), Settings(steps=2), run)
        fit(built(), source(), Settings(steps=4), run)  # resumed with the bare model
        fit(inner(built()), source(), Settings(steps=6), run)
    ours, theirs = (fastweights.load(tmp_path / name).state_dict() for name in ("wrapped", "bare"))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor)


def test_what_could_not_be_loaded_is_refused_at_the_start(tmp_path):
    normed = built()
    weight_norm(normed.head)
    other = models.from_config({**CONFIG, "hidden": 9})
    for number, model in enumerate((Around(built()), normed, other)):
        run = run_in(tmp_path / str(number))
        with pytest.raises(UserError, match="describes another model than is to be trained"):
            fit(model, source(), Settings(steps=2), run)
        assert run.load_checkpoint() is None and run.metrics() == []


def test_a_config_of_ones_own_is_not_looked_into(tmp_path):
    run = Run.create(tmp_path / "run", {"model": {"mine": 1}})
    assert fit(Around(built()), source(), Settings(steps=1), run).steps == 1


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        (2, "stopped at step 2: the weights are those of step 2, the newest, since nothing but"),
        (5, r"stopped at step 5: the weights are those of step \d, its best evaluation so far"),
    ],
)
def test_loading_a_stopped_run_says_which_weights_these_are(stopped, said, tmp_path):
    run, steps = run_in(tmp_path / "run"), iter(range(1, 9))
    fit(built(), source(), KEPT, run, stop=lambda: next(steps) > stopped)
    with pytest.warns(Note, match=said):
        fastweights.load(run.folder)
    fit(built(), source(), KEPT, run)
    fastweights.load(run.folder)  # finished: nothing to say
