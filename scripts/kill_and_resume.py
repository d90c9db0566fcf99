"""Kill training runs of every experiment, start each again by the same command line, and compare every bit.

    python scripts/kill_and_resume.py 30 --json > results/reliability/kills.jsonl

So many kills of each experiment, and of runs of two ranks: SIGKILL at random moments, the first before there is a
folder. A round is one run, killed and begun again with `--resume auto` until it ends; its weights, optimiser, random
states, metrics, result, records and files must be those of a run that nobody killed, apart from times. Checkpoints are
written every twentieth of a second, so that kills find a run at all its places. Exit code 1 if any round differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import proof
import small_runs
import torch
from repeat_ranks import become, free_port

from fastweights.cli import main
from fastweights.experiments import plan, registry
from fastweights.runs import Run

TIMES = ("seconds", "compile_seconds", "train_seconds", "test_seconds")
DIFFERING = (*TIMES, "updates_per_second", "words_per_second", "out")
"""What differs from run to run: times, and where it lies."""

LENGTH = {
    "retrieval": 300,
    "catbabi": 40,
    "glimpses": 150,
    "catch": 100,
    "metro-map": 60,
    "text": 5,
}
"""Steps, updates or epochs: about a second each."""

PATIENCE = 300.0
"""Seconds after which a run counts as hung."""


class Part(NamedTuple):
    """Runs of an experiment in a number of ranks."""

    task: str
    ranks: int = 1


PARTS = [*map(Part, LENGTH), Part("retrieval", 2), Part("catbabi", 2), Part("text", 2)]


def train(words: Sequence[str], rank: int, port: int, ranks: int) -> int:
    """Be a rank of a run, or all of it, in this process."""
    plan.CHECKPOINT_SECONDS = 0.05
    if ranks > 1:
        become(rank, port, ranks)
    return main(words)


def attempt(
    words: Sequence[str], ranks: int, place: Path, moment: float | None
) -> list[int | None]:
    """Start a run and return the exit codes of its ranks.

    All of them, or one, are killed at a moment, if they are still there; others soon after, as torchrun does.
    """
    port, processes = free_port(), []
    for rank in range(ranks):
        out, err = place / f"out-{rank}", place / f"err-{rank}"
        work = partial(train, words, rank, port, ranks)
        processes.append(small_runs.start(work, out, err))
    if moment is None:
        return [small_runs.end(process, PATIENCE) for process in processes]
    time.sleep(moment)
    for process in processes if random.random() < 0.5 else random.sample(processes, 1):
        os.kill(process, signal.SIGKILL)  # where it has ended already, it is still to be waited for
    if ranks > 1:
        time.sleep(random.random() / 2)
        for process in processes:
            os.kill(process, signal.SIGKILL)
    return [small_runs.end(process, PATIENCE) for process in processes]


def one_round(words: Sequence[str], ranks: int, place: Path, longest: float, most: int) -> int:
    """Train with at most so many kills; return how many there were.

    Raises:
        RuntimeError: if an attempt ended neither killed nor as it should.
    """
    kills = 0
    while True:
        early = random.random() < 0.2
        moment = random.random() * 0.01 if early else random.random() ** 1.5 * longest
        codes = attempt(words, ranks, place, moment if kills < most else None)
        if codes == [0] * ranks:
            return kills
        if -signal.SIGKILL not in codes or not set(codes) <= {0, 2, -signal.SIGKILL}:
            said = [(place / f"err-{rank}").read_text() for rank in range(ranks)]
            raise RuntimeError(f"after {kills} kills it ended with {codes}: {said}")
        kills += 1


def final(folder: Path) -> dict[str, Any]:
    """Read what a run ended with, by name: tensors, and records apart from times."""
    run = Run.open(folder)
    found = run.load_checkpoint()
    assert found is not None
    rows = [timeless(row) for row in run.metrics()]
    # Of the checkpoint before the newest the time says which it is.
    files = sorted(path.name for path in folder.rglob("*") if not path.name.isdecimal())
    records = {"meta": timeless(found.meta), "step": found.step, "metrics": rows, "files": files}
    return {
        **found.tensors,
        **records,
        "result": timeless(run.result() or {}),
        "config": run.config,
    }


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in DIFFERING}


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Name everything in which two runs ended differently."""

    def equal(one: Any, other: Any) -> bool:
        both = isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor)
        return torch.equal(one, other) if both else one == other

    different = [name for name in ours | theirs if not equal(ours.get(name), theirs.get(name))]
    return [
        f"{name}: {ours.get(name)!s:.2000}, not {theirs.get(name)!s:.2000}" for name in different
    ]


def rounds(
    part: Part, kills: int, each: int, place: Path, settings: Sequence[str]
) -> dict[str, Any]:
    """Return the row of a part."""
    length = str(LENGTH[part.task])
    words = ["train", part.task, *settings, small_runs.LENGTH[part.task], length]

    def line(folder: Path) -> list[str]:
        return [*words, "--out", str(folder / "run"), "--resume", "auto"]

    whole, began = place / "whole", time.monotonic()
    if codes := [code for code in attempt(line(whole), part.ranks, place, None) if code != 0]:
        raise RuntimeError(f"{part} ended with {codes}: {(place / 'err-0').read_text()}")
    expected, longest = final(whole / "run"), time.monotonic() - began
    done = count = wrong = 0
    while done < kills:
        folder = place / "round"
        try:
            done += one_round(line(folder), part.ranks, place, longest, min(each, kills - done))
            found = differences(final(folder / "run"), expected)
        except (RuntimeError, ValueError, AssertionError) as failure:
            done, found = done + 1, [str(failure)]
        if found:
            print(f"{part}, round {count}: {', '.join(found)}", file=sys.stderr, flush=True)
        count, wrong = count + 1, wrong + bool(found)
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(whole)
    return {**part._asdict(), "kills": done, "rounds": count, "wrong": wrong}


def all_right() -> bool:
    parser = argparse.ArgumentParser(description="Kill, resume and compare training runs.")
    parser.add_argument("kills", type=int, help="how many kills of each part")
    parser.add_argument("--each", type=int, default=5, help="kills of one run at most")
    parser.add_argument("--tasks", nargs="+", choices=registry.EXPERIMENTS, help="which")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="how many processes")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", action="store_true", help="print a JSON row a part")
    options, wrong = parser.parse_args(), 0
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder, small_runs.made(Path(folder)) as settings:
        place = Path(folder)
        chosen = options.tasks or LENGTH
        small_runs.train_each(place, {task: settings[task] for task in chosen})
        for part in PARTS:
            if part.ranks not in options.ranks or part.task not in chosen:
                continue
            row = rounds(part, options.kills, options.each, place, settings[part.task])
            counts = "{kills} kills in {rounds} rounds, {wrong} wrong".format(**row)
            line = f"{part.task}, {part.ranks} ranks: {counts}"
            proof.report({**row, "seed": options.seed}, line, as_json=options.json)
            wrong += row["wrong"]
    return wrong == 0


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
