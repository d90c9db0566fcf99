"""catbAbI without data: trained on generated stories, resumed to the bit, tested on them and on a release at hand."""

from __future__ import annotations

import json

import pytest
import torch
from babi_runs import TINY, refused, spoken, trained

from fastweights.experiments import runner
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.runs import Run
from fastweights.tasks.babi import files

pytestmark = pytest.mark.usefixtures("unsynced", "few")
TASKS = (1, 4, 20)


@pytest.fixture
def few(monkeypatch, tmp_path):
    """Few validation and test stories, and no data but what a test names."""
    for split in ("valid", "test"):
        monkeypatch.setitem(files.RELEASED, split, dict.fromkeys(range(1, 21), 2))
    monkeypatch.setenv("FASTWEIGHTS_DATA", str(tmp_path / "nothing"))


def test_a_machine_without_data(tmp_path, capsys, release):
    """The default is generated stories where no release is found, and the record says so."""
    folder = trained(tmp_path / "run", *TINY, "--tasks", *TASKS)
    assert "new stories at every step, no data" in capsys.readouterr().err
    plan = json.loads((folder / "config.json").read_text())["plan"]
    assert (plan["stories"], plan["names"], plan["window"]) == ("generated", "release", 5)
    result = Run.open(folder).result()
    assert result["notes"][0].startswith("stories made by the rules of bAbI v1.2")
    assert "release_test_accuracy" not in result
    assert spoken(capsys, "test", folder, "--split", "test")["release"] is None
    tested = spoken(capsys, "test", folder, "--split", "test", "--data-dir", release)
    assert tested["answers"] and tested["release"]["answers"] != tested["answers"]
    assert any("whose rules were read off the release" in x for x in tested["release"]["notes"])
    alone = spoken(capsys, "test", folder, "--stories", "all", "--data-dir", release)
    assert alone["release"] is None and alone["answers"] > tested["release"]["answers"]
    graded = ("--window", 20, "--people", 6, "--things", 2)
    longer = spoken(capsys, "test", folder, "--names", "held-out", *graded)
    assert "names held-out, window 20, people 6, things 2" in longer["notes"][0]


def test_a_pool_of_graded_worlds(tmp_path, capsys):
    few = ("--pool", 3, "--pool-tasks", 2, "--people", 2, "--things", 1)
    folder = trained(tmp_path / "run", *TINY, "--tasks", 1, 2, *few)
    said = "of task 2 3 stories, again and again; new ones of the others"
    assert said in capsys.readouterr().err
    options = json.loads((folder / "config.json").read_text())["task"]["options"]
    assert [options[name] for name in ("pool", "pool_tasks", "people", "things")] == [3, [2], 2, 1]
    (tmp_path / "no").mkdir()
    for words, said in (
        (("--pool", 0), "pool must be at least 1, not 0"),
        (("--people", 22, "--names", "any", "--tasks", 1), "names for 2 to 21 people"),
        (("--pool", 3, "--stories", "release"), "pool is of generated stories"),
    ):
        assert said in refused(capsys, "train", "catbabi", *words, "--out", tmp_path / "no" / "run")
    assert not any((tmp_path / "no").iterdir())


def test_resumed_equals_uninterrupted(tmp_path):
    options = CatBAbIOptions(
        hidden=8,
        embedding=6,
        memory_size=4,
        steps=6,
        length=30,
        batch=2,
        tasks=TASKS,
        names="any",
        pool=3,
    )
    whole = runner.train(CATBABI, options, tmp_path / "whole")
    asked = iter([False, False, True])
    assert runner.train(CATBABI, options, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    resumed = runner.train(CATBABI, options, tmp_path / "cut", resume=True)
    assert resumed.result["test_accuracy"] == whole.result["test_accuracy"]
    ours, theirs = (
        Run.open(tmp_path / name).load_checkpoint().tensors for name in ("whole", "cut")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_study_of_the_release_is_refused_without_it(tmp_path, capsys, monkeypatch):
    """In one line, before two hours of training, and nothing is left."""
    monkeypatch.chdir(tmp_path)
    said = refused(capsys, "reproduce", "catbabi-generated")
    assert "is measured on the release: no bAbI release" in said and "fastweights data get" in said
    assert list(tmp_path.iterdir()) == []
