"""Evaluations reach the tools that follow runs, a resumed run goes on there, and what is missing is said first."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastweights.cli import main
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.runner import train
from fastweights.training import trackers

OPTIONS = RetrievalOptions(steps=6, evaluation_interval=2, hidden=3, batch=4, test_samples=4)


class Fake(SimpleNamespace):
    """Stands for a library, and notes what it is called with."""

    def __init__(self, **answers: object) -> None:
        super().__init__(calls=[], answers=answers)

    def __getattr__(self, name: str):
        def call(*args: object, **options: object) -> object:
            print("what a library says of itself")
            self.calls.append((name, args, options))
            return self.answers.get(name, self)

        return call


def of(fake: Fake, name: str) -> list[tuple[tuple[object, ...], dict[str, object]]]:
    return [(args, options) for called, args, options in fake.calls if called == name]


def run(
    monkeypatch: pytest.MonkeyPatch, name: str, fake: Fake, folder: Path, stop: int = 0
) -> None:
    monkeypatch.setitem(sys.modules, trackers.TRACKERS[name].module, fake)
    asked = iter([False] * stop + [True]) if stop else iter(lambda: False, None)
    tracker = trackers.build(name, folder, {"hidden": 3})
    train(RETRIEVAL, OPTIONS, folder, resume=True, listeners=[tracker], stop=lambda: next(asked))


@pytest.mark.usefixtures("unsynced")
@pytest.mark.parametrize(
    ("name", "begins"), [("wandb", "init"), ("trackio", "init"), ("mlflow", "start_run")]
)
def test_every_evaluation_is_passed_on_and_a_resumed_run_is_the_same(
    name, begins, tmp_path, monkeypatch, capsys
):
    folder, written = tmp_path / "run", "log_metrics" if name == "mlflow" else "log"
    first = Fake(search_runs=[])
    run(monkeypatch, name, first, folder, stop=3)
    known = SimpleNamespace(info=SimpleNamespace(run_id="it"))
    second = Fake(search_runs=[known])
    run(monkeypatch, name, second, folder)
    steps = [options["step"] for fake in (first, second) for _, options in of(fake, written)]
    assert steps == [row["step"] for row in metrics(folder)] == [0, 2, 4, 6]
    (given, *_), _ = of(second, written)[-1]
    last = metrics(folder)[-1]
    assert given["cross_entropy"] == last["cross_entropy"] and "step" not in given
    ((_, begun),), ((_, again),) = of(first, begins), of(second, begins)
    if name == "mlflow":
        assert again == {"run_id": "it"} and begun["run_name"] == "run"
        assert of(first, "log_params") == [(({"hidden": 3},), {})] and not of(second, "log_params")
    else:
        assert begun == again and begun["resume"] == "allow" and begun["config"] == {"hidden": 3}
    assert [call[0] for call in second.calls][-1] in ("finish", "end_run")
    assert not capsys.readouterr().out


@pytest.mark.usefixtures("unsynced")
@pytest.mark.filterwarnings("ignore")  # of what tensorboard itself imports
def test_tensorboard_reads_what_was_written(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    words = ["train", "retrieval", "--steps", "4", "--evaluation-interval", "2", "--hidden", "3"]
    words += ["--batch", "4", "--test-samples", "4", "--track", "tensorboard"]
    assert main([*words, "--out", str(folder)]) == 0
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    read = [(each.step, each.value) for each in events.Scalars("cross_entropy")]
    true = [(row["step"], row["cross_entropy"]) for row in metrics(folder)]
    assert read == [(step, pytest.approx(value)) for step, value in true]


def metrics(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "step" in row]


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_a_library_that_is_missing_is_said_before_anything_trains(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, trackers.TRACKERS[name].module, None)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "retrieval", "--track", name]) == 2
    assert f"pip install {name}" in capsys.readouterr().err
    assert main(["train", "retrieval", "--track", "tensorbord"]) == 2
    assert "did you mean 'tensorboard'" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
