"""Training by several processes, from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from babi_made import make_release
from fastweights.cli import app, main
from fastweights.runs import Run

TINY = "--hidden 4 --embedding 4 --memory-size 2 --batch 4 --length 10 --steps 2 --test-rows 4"


@pytest.mark.slow
def test_torchrun_trains_one_run_and_tells_once(tmp_path: Path, own_cache: None) -> None:
    release = make_release(tmp_path, stories=2, tasks=[1])
    # Alone: on a free port, for another test run may hold the usual one.
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    where = ["--data-dir", str(release), "--out", str(tmp_path / "run"), "--tasks", "1", "--json"]
    words = ["train", "catbabi", *TINY.split(), "--backend", "reference", *where]
    done = subprocess.run([*launcher, "-m", "fastweights", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("weights, backend reference") == 1
    result = json.loads(done.stdout)
    assert result == Run.open(tmp_path / "run").result()
    assert result["processes"] == 2 and result["steps"] == 2


@pytest.mark.parametrize("rank", [0, 1])
def test_what_all_processes_refuse_the_first_says_first(
    rank: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited = []
    monkeypatch.setattr(app.time, "sleep", waited.append)
    monkeypatch.setenv("RANK", str(rank))
    assert main(["trian"]) == 2
    assert waited == [app.OTHERS_WAIT] * rank
    assert "train" in capsys.readouterr().err
