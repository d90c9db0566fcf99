"""The proofs about runs and command lines find what is wrong, and follow from their seeds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from random import Random

import pytest
import torch

from fastweights.runs import Run

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def beside_the_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "path", [*sys.path])  # the scripts add the folder of the tests


def test_a_command_line_follows_from_its_seed_and_number():
    import command_lines
    import small_runs

    settings = {task: ["--x"] for task in small_runs.SMALL}
    lines = [command_lines.line(Random(f"0 {number}"), settings) for number in range(50)]
    assert lines == [command_lines.line(Random(f"0 {number}"), settings) for number in range(50)]
    fields = {field for shapes in command_lines.COMMANDS.values() for _, field, _ in shapes}
    assert {"json", "resume", "sequence", "only", "top_p", "folder", "split", "official"} <= fields
    assert not any("\0" in word for each, _ in lines for word in each)
    assert set(small_runs.SMALL) == set(small_runs.LENGTH) == set(command_lines.RUNS)


@pytest.mark.parametrize(
    ("words", "code", "out", "err", "left", "kind"),
    [
        (["list", "--json"], 0, "{}", "", [], None),
        (["list", "--json"], 0, "a {}", "", [], "wrong stream"),
        (["list"], 2, "", "fastweights: no\n", [], None),
        (["list"], 2, "", "fastweights: no\n", ["x"], "left on disk"),
        (["list"], 2, "a table", "fastweights: no\n", [], "wrong stream"),
        (["list"], 70, "", "Traceback", [], "traceback"),
        (["list"], -11, "", "", [], "traceback"),
        (["list"], 3, "", "", [], "exit code"),
        (["list"], None, "", "", [], "hang"),
        (["list"], 0, "", "UserWarning: x", [], "raw warning"),
        (["train", "text"], None, "", "fwm: 9 weights, backend cpu", [], None),
    ],
)
def test_what_is_wrong_about_an_end_is_named(words, code, out, err, left, kind):
    import fuzz_cli
    import small_runs

    found = fuzz_cli.wrong(words, small_runs.End(code, out, err), left)
    assert (found and found[0]) == kind


def test_a_fork_ends_as_its_command_does(tmp_path, capfd):
    import small_runs

    from fastweights.cli import main

    with capfd.disabled():  # as a script has them: what is written goes to the file behind
        refused = small_runs.run(lambda: main(["lst"]), tmp_path)
        failed = small_runs.run(lambda: 1 // 0, tmp_path)
        late = small_runs.run(lambda: main([]), tmp_path, seconds=0)
    assert refused.code == 2 and "did you mean 'list'" in refused.err and not refused.out
    assert failed.code == small_runs.UNCAUGHT and "ZeroDivisionError" in failed.err
    assert late.code is None


def test_a_run_that_ended_otherwise_is_told_apart(tmp_path):
    import kill_and_resume

    def final(name: str, weight: float, loss: float, seconds: float) -> dict[str, object]:
        run = Run.create(tmp_path / name / "run", {"plan": {}})
        run.log({"step": 1, "loss": loss, "seconds": seconds})
        run.save_checkpoint(1, {"model.weight": torch.tensor(weight)}, {"seconds": seconds})
        run.write_result({"steps": 1, "train_seconds": seconds, "out": name})
        return kill_and_resume.final(run.folder)

    whole = final("whole", 1.0, 2.0, 3.0)
    assert kill_and_resume.differences(final("same", 1.0, 2.0, 4.0), whole) == []
    (found,) = kill_and_resume.differences(final("weight", 1.5, 2.0, 3.0), whole)
    assert found.startswith("model.weight: ")
    (found,) = kill_and_resume.differences(final("row", 1.0, 2.5, 3.0), whole)
    assert found.startswith("metrics: ")


def test_a_run_is_damaged_in_one_place_by_its_seed(tmp_path):
    import damages

    run = Run.create(tmp_path / "whole", {"plan": {"steps": 12}})
    run.log({"step": 1, "loss": 0.25})
    run.save_checkpoint(1, {"model.weight": torch.tensor(1.0)}, {})

    def damaged(name: str, number: int) -> tuple[str, dict[str, bytes | None]]:
        folder = tmp_path / name / str(number) / "run"
        shutil.copytree(run.folder, folder)
        told = damages.damage(folder, Random(number))
        if "huge" in told:
            os.truncate(folder / told.partition(", ")[2], 99)
        paths = folder.rglob("*")
        return told, {path.name: path.read_bytes() if path.is_file() else None for path in paths}

    whole = {
        path.name: path.read_bytes() if path.is_file() else None for path in run.folder.rglob("*")
    }
    ends = [damaged("first", number) for number in range(100)]
    assert ends[:20] == [damaged("again", number) for number in range(20)]
    assert {told.partition(",")[0] for told, _ in ends} == set(damages.KINDS)
    assert all(end != whole or told[:4] in ("perm", "link", "swap") for told, end in ends)
