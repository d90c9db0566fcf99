"""Run a study by the workers of a cluster: its time by one and by two, then with one of two killed at random.

    python scripts/kill_workers.py 10 --cells 20 --json > results/reliability/workers.jsonl

The study has so many runs of associative retrieval, each of a few seconds. Every round kills a worker (SIGKILL) at a
random moment, and holds the rows against those of the first: each run is recorded once, with the same value.
Exit code 1 if a row is lost, doubled or another.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import proof
from distributed import LocalCluster

from fastweights.experiments.reproduce import reproduce
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.retrieval.options import RetrievalOptions
from fastweights.experiments.study import Cell, Study

STEPS = 10_000


def study(cells: int) -> Study:
    options = RetrievalOptions(steps=STEPS, test_samples=1000)
    named = tuple(Cell(f"cell {n}", options, seeds=1) for n in range(cells))
    return Study(RETRIEVAL, "workers", "Runs by the workers of a cluster", named)


def run(cells: int, place: Path, cluster: LocalCluster) -> float:
    """Return the seconds that the study takes."""
    began = time.perf_counter()
    reproduce(
        study(cells),
        results=place / "results",
        runs=place / "runs",
        cluster=cluster.scheduler_address,
    )
    return time.perf_counter() - began


def values(place: Path) -> list[tuple[str, float]]:
    """Return every seed of every row with its value."""
    lines = (place / "results" / "workers" / "cells.jsonl").read_text().splitlines()
    rows = map(json.loads, lines)
    return sorted(
        (f"{row['cell']}, seed {seed}", entry["value"])
        for row in rows
        for seed, entry in row["by_seed"].items()
    )


def killed_after(seconds: float, cluster: LocalCluster, killed: list[int]) -> threading.Timer:
    """Begin to wait for the moment at which a worker is killed; Dask begins another in its place."""

    def kill() -> None:
        worker = random.choice(list(cluster.workers.values()))
        killed.append(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.start()
    return timer


def timed(cells: int, workers: int) -> tuple[float, list[tuple[str, float]]]:
    """Return how long the study takes so many workers, which have loaded what they need, and its values."""
    with (
        tempfile.TemporaryDirectory() as warm,
        tempfile.TemporaryDirectory() as place,
        LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        run(2 * workers, Path(warm), cluster)
        return run(cells, Path(place), cluster), values(Path(place))


def round_of(cells: int, within: float) -> tuple[list[tuple[str, float]], int]:
    """Return the values of a study one of whose workers was killed, and how many were."""
    killed: list[int] = []
    with (
        tempfile.TemporaryDirectory() as place,
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        timer = killed_after(random.uniform(2, within), cluster, killed)
        run(cells, Path(place), cluster)
        timer.cancel()
        return values(Path(place)), len(killed)


def all_right() -> bool:
    parser = argparse.ArgumentParser(description="Run a study by workers, and kill some.")
    parser.add_argument("rounds", type=int, help="each with a worker killed")
    parser.add_argument("--cells", type=int, default=20, help="runs of the study")
    parser.add_argument("--json", action="store_true", help="print a JSON row a line")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # Dask says at length that a worker was killed
    seconds, true = timed(given.cells, 1)
    two, again = timed(given.cells, 2)
    ratio = seconds / two
    row = {"cells": given.cells, "one worker s": round(seconds, 2), "two workers s": round(two, 2)}
    line = f"{given.cells} cells: {seconds:.1f} s by one worker, {two:.1f} s by two: {ratio:.2f} times as fast"
    proof.report({**row, "ratio": round(ratio, 3)}, line, as_json=given.json)
    wrong, killed = int(again != true), 0
    for _ in range(given.rounds):
        found, kills = round_of(given.cells, two)
        wrong, killed = wrong + (found != true), killed + kills
    row = {"rounds": given.rounds, "killed": killed, "wrong": wrong}
    line = (
        f"{given.rounds} rounds, {killed} workers killed: rows lost, doubled or another in {wrong}"
    )
    proof.report(row, line, as_json=given.json)
    return wrong == 0


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
