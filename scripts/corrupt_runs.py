"""Damage runs at one random place each, then test, plot, resume and load them; count what ends as none should.

    python scripts/corrupt_runs.py 2000 --json >> results/reliability/corruptions.jsonl
    python scripts/corrupt_runs.py 1 --first 4711 --show         # a case again: all of it follows from seed and number

A finished and an unfinished run of every experiment, with every file there is. Wrong are: a traceback; an exit code
other than 0, 1 and 2; a command that ends as if nothing were, but with another answer than of the run as it was, and
says nothing of it; one that hangs. One of eight cases is drawn. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import damages
import proof
import small_runs
from batches import Told, each
from run_answers import TESTS, Answer, answers, make_runs, speak, undamaged

from fastweights.experiments import registry

SECONDS = 180.0
"""Time for a case."""

PART = 100
"""Cases of a row."""

Runs = list[tuple[str, str]]
"""Tasks and folders."""

Right = Mapping[str, Mapping[str, Answer]]
"""The answers of the runs as they were, by folder and by what was done."""


def case(number: int, seed: int, place: Path, runs: Runs) -> tuple[str, str, random.Random]:
    """Copy a run into `place / "case" / "run"` and damage it; return its task, what was done and the chance behind."""
    chance = random.Random(f"{seed} {number}")
    task, folder = chance.choice(runs)
    shutil.rmtree(place / "case", ignore_errors=True)
    shutil.copytree(place / folder, place / "case" / "run")
    os.chdir(place / "case")
    return task, f"{folder}: {damages.damage(Path('run'), chance)}", chance


def one(
    number: int,
    seed: int,
    place: Path,
    runs: Runs,
    right: Mapping[str, Mapping[str, Answer]],
) -> Told:
    """Run a case in this process; tell what was wrong."""
    task, done, chance = case(number, seed, place, runs)
    with damages.as_anybody(
        "permission" in done, *(place / each for each in ("case", "out", "err"))
    ):
        found = answers(task, place, chance)
    expected = right[done.partition(":")[0]]
    for name, (code, answer, said) in found.items():
        was = expected[name]
        if code not in (0, 1, 2):
            return {"kind": "traceback", "told": f"{done}: {name}: {answer}"}
        if code == 0 and answer != was[1] and set(said) <= set(was[2]):
            return {"kind": "silent", "told": f"{done}: {name}: {answer}\n    was {was[1]}"}
    heard = any(
        code or set(said) - set(expected[name][2]) for name, (code, _, said) in found.items()
    )
    return {"kind": "", "told": done, "heard": str(heard)}


def failed(
    number: int,
    ended: small_runs.End,
    seed: int,
    place: Path,
    runs: Runs,
    **_: object,
) -> Told:
    """Tell of a case that ended its process, or took too long."""
    done = case(number, seed, place, runs)[1]
    return {"kind": "hang" if ended.code is None else "traceback", "told": f"{done}: {ended}"}


def part(numbers: range, options: argparse.Namespace, place: Path, runs: Runs, right: Right) -> int:
    """Run some cases and report them; return how many ended wrong."""
    faults: Counter[str] = Counter()
    said = 0
    shared = {"seed": options.seed, "place": place, "runs": runs}
    ways = (partial(one, **shared, right=right), partial(failed, **shared))
    for number, ended in zip(
        numbers, each(numbers, *ways, place, seconds=SECONDS, before=speak), strict=True
    ):
        faults[ended["kind"]] += 1
        said += ended.get("heard") == "True"
        if options.show or ended["kind"]:
            print(f"{number}: {ended['kind']}: {ended['told']}", file=sys.stderr, flush=True)
    del faults[""]
    row = {"seed": options.seed, "first": numbers.start, "corruptions": len(numbers), "said": said}
    row |= {"wrong": faults.total(), **{f"wrong: {kind}": n for kind, n in faults.items()}}
    line = (
        f"{faults.total()} of {len(numbers)} damaged runs ended wrong: {dict(faults)}; said: {said}"
    )
    proof.report(row, line, as_json=options.json)
    return faults.total()


def all_right() -> bool:
    parser = argparse.ArgumentParser(description="Damage runs, and see that it is said.")
    parser.add_argument("cases", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of what is damaged where")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--show", action="store_true", help="print every case")
    parser.add_argument("--json", action="store_true", help="print a JSON row a part")
    options, wrong = parser.parse_args(), 0
    last = options.first + options.cases
    with tempfile.TemporaryDirectory() as folder, small_runs.made(Path(folder)) as settings:
        place = Path(folder)
        place.chmod(0o755)  # who has no rights gets there
        small_runs.train_each(place, settings, "--plot")
        runs = make_runs(place, settings)
        right = {where: undamaged(task, where, place) for task, where in runs}
        for first in range(options.first, last, PART):
            wrong += part(range(first, min(first + PART, last)), options, place, runs, right)
    return wrong == 0


if __name__ == "__main__":
    assert set(TESTS) == set(registry.EXPERIMENTS)
    sys.exit(0 if all_right() else 1)
