"""catbAbI's verbs on stories made here: train, resume, ask, test, plot, at a tiny size."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from babi_runs import SMALL, TINY, spoken, trained

from fastweights import runs
from fastweights.cli import main
from fastweights.experiments import runner as running
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catbabi.figures import draw
from fastweights.experiments.catbabi.options import CatBAbIOptions
from fastweights.experiments.catbabi.predict import answered, open_model
from fastweights.experiments.catbabi.presets import BACKBONES
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import open_run
from fastweights.models import SequenceModel
from fastweights.runs import Run
from pictures import assert_drawn

pytestmark = pytest.mark.usefixtures("unsynced")

OPTIONS = {
    "fwm": ("memory_size=4",),
    "residual-lstm": ("layers=2",),
    "transformer-xl": ("layers=1", "inner_size=8", "memory_length=12", "heads=2"),
    "mnm": ("memory_size=4",),
    "fast-weights": ("decay=0.5",),
    "deltanet": ("heads=2",),
    "gated-deltanet": ("heads=2",),
    "lstm": (),
}
"""What makes each backbone tiny."""

FIGURES = {
    *("model", "mode", "notes", "tasks", "test_accuracy", "test_accuracy_percent"),
    *("test_perplexity", "test_accuracy_without_task_3", "test_answers", "test_rows"),
    *("test_seconds", "validation_accuracy", "validation_accuracy_percent"),
    *("validation_perplexity", "validation_answers"),
    *("per_task_accuracy", "per_task_perplexity", "state_size", "parameters", "steps"),
    *("limit_seconds", "train_seconds", "compile_seconds", "backend"),
    *("processes", "threads", "seed", "out"),
}
STORY = "Mary went to the kitchen. Where is Mary?"
LONGER = f"{STORY} John moved to the office. Where is John?"


@pytest.fixture(scope="module")
def run(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return trained(folder, "--data-dir", release, *TINY)


@pytest.mark.parametrize("mode", ["qa", "lm"])
def test_train_records_its_result(mode, release, catbabi, tmp_path, capsys):
    out = tmp_path / "run"
    given = ("--data-dir", release, *TINY, "--mode", mode, "--out", out)
    result = spoken(capsys, "train", "catbabi", *given)
    assert set(result) == FIGURES
    assert result == Run.open(out).result()
    assert result["steps"] == 3 and result["mode"] == mode and result["test_rows"] == 1
    assert result["tasks"] == list(range(1, 21)) and len(result["per_task_accuracy"]) == 20
    assert result["test_answers"] == catbabi.counts["test"].questions
    assert result["test_accuracy_percent"] == 100 * result["test_accuracy"]
    # embedding and head; LSTM with one bias; rows of k1, k2, v, β and n, e¹ … e³; out
    lstm, memory = 32 * (6 + 8 + 1), (13 + 16) * 9 + 8 * 5
    assert result["parameters"] == catbabi.classes * (6 + 8) + lstm + memory
    assert result["state_size"] == 2 * 8 + 4**3


def test_report_for_people(release, tmp_path, capsys):
    trained(tmp_path / "run", "--data-dir", release, *TINY, "--tasks", "1", "4")
    out, err = capsys.readouterr()
    for said in ("test accuracy", "without task 3", "tasks left out", "a few questions", "run: "):
        assert said in out
    assert "stories with" in err


@pytest.mark.parametrize("name", OPTIONS)
def test_every_model_trains_and_answers(name, release, catbabi, tmp_path, capsys):
    assert {*BACKBONES} <= {*OPTIONS}
    changed = ("--set", *OPTIONS[name]) if name != "fwm" else ("--memory-size", "4")
    given = ("--model", name, *SMALL, *(changed if OPTIONS[name] else ()))
    given += ("--data-dir", release, "--out", tmp_path / "run")
    result = spoken(capsys, "train", "catbabi", *given)
    assert result["model"] == name and result["steps"] == 3 and result["state_size"] > 0
    (asked,) = spoken(capsys, "test", tmp_path / "run", STORY)
    assert asked["questions"][0]["answer"] in catbabi.vocabulary


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--reads", "1"), {"reads": 1}),
        (("--combine", "concat"), {"combine": "concat"}),
        (("--variant", "paper"), {"variant": "paper", "write_scale": 1.0}),
        (("--set", "write_scale=1", "clamp=false"), {"write_scale": 1.0, "gating": None}),
        (("--set", "clamp=true", "key-size=3"), {"gating": "norm", "key_sizes": (4, 3)}),
    ],
)
def test_ablations_reach_the_memory(words, found, release, tmp_path):
    folder = trained(tmp_path / "run", "--data-dir", release, *TINY, *words)
    memory = runs.load(folder).backbone.memory
    assert {name: getattr(memory, name) for name in found} == found


@pytest.mark.parametrize("residual", [True, False])
def test_residual(residual, release, tmp_path):
    given = ("--variant", "paper", "--residual", residual)
    folder = trained(tmp_path / "run", "--data-dir", release, *TINY, *given)
    assert runs.load(folder).backbone.residual is residual


def test_interrupted_and_resumed_equals_uninterrupted(release, tmp_path, capsys):
    options = CatBAbIOptions(
        data_dir=release,
        hidden=8,
        embedding=6,
        memory_size=4,
        steps=6,
        length=10,
        batch=2,
        word_dropout=0.3,
        embedding_dropout=0.3,
    )
    whole = running.train(CATBABI, options, tmp_path / "whole")
    asked = iter([False, False, True])
    assert running.train(CATBABI, options, tmp_path / "cut", stop=lambda: next(asked)).interrupted
    result = spoken(capsys, "train", "catbabi", "--resume", "--out", tmp_path / "cut")
    times = {"out", "train_seconds", "test_seconds", "compile_seconds"}
    assert {k: v for k, v in result.items() if k not in times} == {
        k: v for k, v in whole.result.items() if k not in times
    }
    ours, theirs = (
        Run.open(tmp_path / name).load_checkpoint().tensors for name in ("whole", "cut")
    )
    assert ours.keys() == theirs.keys() and len(ours) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finished_run_gives_its_record_without_data(release, tmp_path, capsys):
    data = shutil.copytree(release, tmp_path / "tasks_1-20_v1-2")
    out = trained(tmp_path / "run", "--data-dir", data, *TINY)
    shutil.rmtree(data)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    result = spoken(capsys, "train", "catbabi", "--resume", "--out", out)
    assert result == Run.open(out).result()
    assert before == {path: path.stat().st_mtime_ns for path in before}
    capsys.readouterr()
    trained(out, "--resume")
    assert "a few questions" not in capsys.readouterr().out


def test_minutes_end_a_run_that_more_minutes_go_on_with(release, tmp_path, capsys):
    out = tmp_path / "run"
    small = [word for word in TINY if word not in ("--steps", "3")]
    words = ("--data-dir", release, *small, "--minutes", "1e-6", "--out", out)
    assert spoken(capsys, "train", "catbabi", *words)["steps"] == 1
    # What was begun with a limit keeps it, unless another is given.
    for given in ((), ("--minutes", "1e-6")):
        resumed = spoken(capsys, "train", "catbabi", "--resume", *given, "--out", out)
        assert resumed["steps"] == 1 and resumed["limit_seconds"] == pytest.approx(6e-5)
    seconds = resumed["train_seconds"] + 0.1
    longer = ("--resume", "--minutes", seconds / 60, "--out", out)
    more = spoken(capsys, "train", "catbabi", *longer)
    assert more["steps"] > 1 and more["train_seconds"] >= seconds
    assert [row["step"] for row in Run.open(out).metrics()][:2] == [0, 1]


def test_ask_by_words_and_by_pipe(run, monkeypatch, capsys):
    stories = [STORY, LONGER.upper()]
    answers = spoken(capsys, "test", run, *stories)
    assert [answer["story"] for answer in answers] == stories
    first, second = (answer["questions"] for answer in answers)
    assert [question["question"] for question in second] == ["where is mary ?", "where is john ?"]
    assert first == second[:1]
    for question in (*first, *second):
        assert len(question["attention"]) == 3
        for taken in question["attention"]:
            steps = [item["step"] for item in taken]
            assert len(steps) == 3 and steps == sorted(steps)
            assert 0 < sum(item["share"] for item in taken) <= 1 + 1e-6
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n".join(stories) + "\n"))
    assert spoken(capsys, "test", run) == answers
    assert main(["test", str(run), STORY]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"where is mary ? → {first[0]['answer']}") and "read 3: " in said


def test_answers_are_those_of_the_model(run, catbabi):
    model, vocabulary = open_model(run)
    assert vocabulary == catbabi.vocabulary
    with torch.no_grad():
        logits, _ = model(catbabi.encode(STORY)[None])
    probability, word = logits[0, -1].softmax(-1).max(-1)
    (answer,) = answered(model, vocabulary, STORY)
    assert answer.answer == vocabulary[int(word)]
    assert answer.probability == pytest.approx(float(probability), rel=1e-4)
    assert answer.words == f"<eos> {STORY.lower()}".replace(".", " .").replace("?", " ?").split()


@pytest.mark.parametrize("given", ["office.", " Office .", "\n kitchen \n", "e,n.", " e , n\n", ""])
def test_an_answer_behind_a_question_is_read_on_and_else_the_models_own(given, run):
    model, vocabulary = open_model(run)
    assert "e,n" in vocabulary
    story = f"{STORY}{given} John moved to the office. Where is John?"
    first, second = answered(model, vocabulary, story)
    said = "".join(given.lower().replace(".", "").split()) or first.answer
    expected = f"{' '.join(first.words)} {said} john moved to the office . where is john ?"
    assert " ".join(second.words) == expected


def test_an_answer_of_the_models_own_may_be_what_no_one_can_type():
    words = ("<pad>", "<eos>", ".", "?", "is", "mary", "where")

    def trace(tokens, memory_steps):
        logits = torch.eye(len(words))[torch.ones_like(tokens)]
        return SimpleNamespace(output=logits, read_weights=None)

    model = SequenceModel.__new__(SequenceModel)
    torch.nn.Module.__init__(model)
    model.__dict__["trace"] = trace
    first, second = answered(model, words, "Where is Mary?. Where is Mary?")
    assert first.answer == "<eos>"
    assert " ".join(second.words) == "<eos> where is mary ? <eos> where is mary ?"


def test_a_test_on_a_split(run, catbabi, capsys):
    recorded = json.loads((run / "result.json").read_text())
    tested = spoken(capsys, "test", run, "--split", "test")
    assert tested["rows"] == 1 and tested["answers"] == recorded["test_answers"]
    assert tested["accuracy"] == recorded["test_accuracy"]
    valid = spoken(capsys, "test", run, "--split", "valid")
    (segment,) = catbabi.segments("valid", 1, 10**6)
    with torch.no_grad():
        logits, _ = runs.load(run)(segment.tokens)
    score = catbabi.score()
    asked = segment.answers
    score.add(logits[asked], segment.targets[asked], segment.tasks[asked])
    for name, figure in score.metrics().items():
        assert valid[name] == pytest.approx(figure, rel=1e-4), name
    assert main(["test", str(run), "--split", "valid"]) == 0
    out = capsys.readouterr().out
    assert "fwm, valid split, qa" in out and "1 row" in out and "task 20" in out


def test_pictures_of_several_runs(run, release, tmp_path, capsys):
    other = trained(tmp_path / "lstm", "--data-dir", release, *SMALL, "--model", "lstm")
    seed = trained(tmp_path / "seed", "--data-dir", release, *TINY, "--seed", "1")
    alike = group([open_run(folder) for folder in (run, other, seed)])
    assert {name: len(seeds) for name, seeds in alike.items()} == {"fwm": 2, "lstm": 1}
    out = ("--out", tmp_path / "figures", "--format", "svg")
    drawn = [Path(path) for path in spoken(capsys, "plot", run, other, seed, *out)["pictures"]]
    assert [path.name for path in drawn] == ["comparison.svg", "tasks.svg"]
    for path in drawn:
        assert_drawn(path)


def test_pictures_of_a_run_on_few_tasks_show_a_story_of_its_own(release, tmp_path, capsys):
    words = ("--data-dir", release, *TINY, "--tasks", "4", "--plot")
    out = trained(tmp_path / "run", *words) / "figures"
    said = capsys.readouterr().out
    for name in ("training.png", "tasks.png", "reads.png"):
        assert f"picture: {out / name}" in said
        assert_drawn(out / name)
    assert {path.name for path in out.iterdir()} == {"training.png", "tasks.png", "reads.png"}


def test_a_model_that_does_not_attend_has_no_picture_of_reads(run, release, tmp_path):
    other = trained(tmp_path / "lstm", "--data-dir", release, *SMALL, "--model", "lstm")
    names = [[figure.name for figure in draw(open_run(each), STORY)] for each in (run, other)]
    assert names == [["training", "tasks", "reads"], ["training", "tasks"]]
