"""Kill training runs at random moments, resume them, and compare every bit with an uninterrupted run.

    python scripts/kill_and_resume.py 100 --steps 3000 --hidden 20

The first number is how many kills to make; what follows goes to `fastweights train retrieval`. A round is one run,
killed and resumed until it ends; rounds go on until there were enough kills. Exit code 1 if any round differs.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fastweights.runs import Run

TIMES = ("seconds", "compile_seconds")


def command(folder: Path, options: list[str], *, resume: bool) -> list[str]:
    again = ["--resume"] if resume else []
    program = [sys.executable, "-m", "fastweights", "train", "retrieval"]
    return [*program, "--out", str(folder), *again, *options]


def train_whole(folder: Path, options: list[str]) -> float:
    """Train without a stop; return the seconds it took."""
    began = time.monotonic()
    subprocess.run(command(folder, options, resume=False), check=True, capture_output=True)
    return time.monotonic() - began


def train_killed(folder: Path, options: list[str], longest: float, most: int) -> int:
    """Train with at most so many kills, each after a random time; return how many there were."""
    kills = 0
    while True:
        process = subprocess.Popen(
            command(folder, options, resume=folder.exists()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            wait = random.uniform(0, longest) if kills < most else None
            _, errors = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        if process.returncode:
            raise SystemExit(f"resuming failed:\n{errors.decode()}")
        return kills


def final(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Read what a run ended with: the tensors of its checkpoint, and its metrics apart from times."""
    run = Run.open(folder)
    found = run.load_checkpoint()
    assert found is not None
    rows = [{key: row[key] for key in row if key not in TIMES} for row in run.metrics()]
    return found.tensors, rows


def differences(ours: Path, theirs: Path) -> list[str]:
    """Name everything in which two runs ended differently."""
    (tensors, rows), (expected, expected_rows) = final(ours), final(theirs)
    names = sorted(tensors.keys() | expected.keys())
    differing = [
        name
        for name in names
        if name not in tensors
        or name not in expected
        or not torch.equal(tensors[name], expected[name])
    ]
    return differing + (["metrics.jsonl"] if rows != expected_rows else [])


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill, resume and compare training runs.")
    parser.add_argument("kills", type=int, help="how many kills to make in all")
    parser.add_argument("--each", type=int, default=5, help="kills of one run at most")
    parser.add_argument("--chance", type=int, default=0, help="seed of the moments")
    arguments, options = parser.parse_known_args()
    random.seed(arguments.chance)
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        longest = train_whole(whole, options)
        kills = rounds = failed = 0
        while kills < arguments.kills:
            folder = Path(place) / f"round-{rounds}"
            most = min(arguments.each, arguments.kills - kills)
            killed = train_killed(folder, options, longest, most)
            found = differences(folder, whole)
            kills, rounds, failed = kills + killed, rounds + 1, failed + bool(found)
            print(
                f"round {rounds}: {killed} kills, {'differs: ' + ', '.join(found) if found else 'equal'}"
            )
    print(f"{kills} kills in {rounds} rounds, {failed} of them differ from the uninterrupted run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
