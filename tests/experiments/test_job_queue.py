"""Several commands on one folder of results: no run is made twice, and none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastweights.errors import Note, UserError
from fastweights.experiments import reproduce as reproducing
from fastweights.experiments.job_queue import Claims
from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.study import Cell, Study

TINY = RetrievalOptions(steps=2, hidden=4, batch=4, test_samples=40)
STUDY = Study(
    RETRIEVAL, "tiny", "a tiny study", tuple(Cell(name, TINY, seeds=2) for name in ("one", "two"))
)


def run(folder: Path, **options: object) -> list[str]:
    told: list[str] = []
    reproduce(
        STUDY,
        results=folder / "results",
        runs=folder / "runs",
        on_progress=lambda progress: told.append(f"{progress.cell} {progress.seed}"),
        **options,
    )
    return told


def rows(folder: Path) -> dict[str, set[str]]:
    lines = (folder / "results" / "tiny" / "cells.jsonl").read_text().splitlines()
    return {row["cell"]: set(row["by_seed"]) for row in map(json.loads, lines)}


@pytest.mark.usefixtures("unsynced")
def test_a_second_command_leaves_to_the_first_what_that_is_at(tmp_path, monkeypatch):
    """The second begins while the first is at its first run, and does all the rest."""
    second: list[str] = []
    original = reproducing._run

    def at_once(job):
        if not second:
            second.append("begun")
            with pytest.warns(Note, match="a run is another command's"):
                second.extend(run(tmp_path))
        return original(job)

    monkeypatch.setattr(reproducing, "_run", at_once)
    assert run(tmp_path) == ["one 0"]
    assert second == ["begun", "two 0", "one 1", "two 1"]
    assert rows(tmp_path) == {"one": {"0", "1"}, "two": {"0", "1"}}
    assert not (tmp_path / "results" / "tiny" / ".claims").exists()


def test_a_claim_is_one_processs_and_ends_with_it(tmp_path):
    claims = Claims(tmp_path / "claims")
    code = "import sys, time; from pathlib import Path; from fastweights.experiments.job_queue import Claims;"
    code += (
        "claims = Claims(Path(sys.argv[1])); print(claims.take('a'), flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "claims")], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        assert not claims.take("a") and claims.take("b")
        other.kill()
    until = time.monotonic() + 10
    while not claims.take("a") and time.monotonic() < until:
        time.sleep(0.05)
    assert not Claims(tmp_path / "claims").take("a")
    claims.release_all()
    assert not (tmp_path / "claims").exists()


def test_a_claim_whose_file_was_removed_meanwhile_is_none(tmp_path):
    """Between the opening of the file and its lock another may have ended, and removed it."""
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take("a")
    (held,) = first._held.values()
    held.path.unlink()
    assert second.take("a") and not held.stands()
    first.release_all()
    second.release_all()


def test_a_cluster_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("fastweights.experiments.cluster.PATIENCE", 0.2)
    with pytest.raises(UserError, match=r"no scheduler of Dask answers at tcp://127.0.0.1:9"):
        run(tmp_path, cluster="tcp://127.0.0.1:9")
    for name, given in (("distributed", "tcp://127.0.0.1:9"), ("dask_jobqueue", "slurm")):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(UserError, match=r"--cluster needs .*fastweights\[cluster\]"):
            run(tmp_path, cluster=given)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what dask itself imports and leaves open
def test_a_killed_worker_loses_no_run(tmp_path, unsynced):
    """Of two real workers one is killed at work; all cells come, each once."""
    from distributed import LocalCluster

    longer = Study(
        RETRIEVAL,
        "tiny",
        "a tiny study",
        tuple(
            Cell(name, RetrievalOptions(steps=400, hidden=4, batch=4, test_samples=40), seeds=2)
            for name in ("one", "two")
        ),
    )
    told = []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:

        def on_progress(progress):
            if not told:
                worker = next(iter(cluster.workers.values()))
                worker.process.process._process.kill()
            told.append((progress.cell, progress.seed))

        reproduce(
            longer,
            results=tmp_path / "results",
            runs=tmp_path / "runs",
            cluster=cluster.scheduler_address,
            on_progress=on_progress,
        )
    assert sorted(told) == [("one", 0), ("one", 1), ("two", 0), ("two", 1)]
    assert rows(tmp_path) == {"one": {"0", "1"}, "two": {"0", "1"}}
