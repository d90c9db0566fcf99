"""Make up command lines over every command and option of the parser, run them, and count what ends as none should.

    python scripts/fuzz_cli.py 10000 --seed 0 --json >> results/reliability/cli.jsonl
    python scripts/fuzz_cli.py 1 --seed 0 --first 4711            # a case again: all of it follows from seed and number

Each runs in a folder of its own, with copies of small runs in it, in a fork that has loaded the library; training stops
after three steps, as by Ctrl-C; nothing reaches a network. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import socket
import sys
import tempfile
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path

import proof
import small_runs
from batches import Told, each
from command_lines import RUNS, line

from fastweights.cli import main
from fastweights.data import fetch
from fastweights.experiments import registry, runner

SECONDS = 90.0
"""Time for a case. What had begun to train, test, time or draw by then is cut off; anything else hangs."""

WORK = ("weights, backend", "drawing ", "test: ", "compil")
"""What a command says on stderr when it has begun the work that it was asked for."""

PART = 250
"""Cases of a row."""

LONG = ("bench", "reproduce", "warmup", "gradcheck")
"""Commands whose work takes longer; a slip in their words is refused at once."""

DOCUMENTED = (0, 1, 2, 130)


def small_steps() -> None:
    """Let this process train three steps at most, and reach no other machine."""
    whole = runner.train

    def train(*words: object, stop: object = None, **named: object) -> object:
        steps = count(1)
        return whole(*words, **named, stop=lambda: next(steps) >= 3)  # type: ignore[arg-type]

    def unreachable(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    runner.train = train  # type: ignore[assignment]
    socket.socket.connect = socket.getaddrinfo = unreachable  # type: ignore[assignment, method-assign]
    fetch.PAUSES = (0.0, 0.0)  # type: ignore[assignment]
    registry.studies()


def contents(folder: Path) -> dict[str, str]:
    """Return what lies below a folder: each path with a hash of the file, or the kind of what else it is."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        plain = path.is_file() and not path.is_symlink()
        found[name] = hashlib.sha1(path.read_bytes()).hexdigest() if plain else "other"
    return found


def wrong(words: list[str], end: small_runs.End, left: list[str]) -> tuple[str, str] | None:
    """Return what is wrong about how a command ended, in a word and in full; None where nothing is."""
    if end.code is None:
        working = (words[:1] and words[0] in LONG) or any(part in end.err for part in WORK)
        return None if working else ("hang", end.err[-300:])
    if end.code == small_runs.UNCAUGHT or end.code < 0 or "Traceback" in end.err + end.out:
        return "traceback", end.err[-1500:]
    if end.code not in DOCUMENTED:
        return "exit code", str(end.code)
    if "Warning:" in end.err:
        return "raw warning", end.err[-300:]
    helped = {"--help", "-h"} & set(words) or {"--version", "-V"} & set(words[:1]) or not words
    if end.code == 2:
        if left and "training stopped: " not in end.err:  # the folder of such a run is its record
            return "left on disk", ", ".join(left[:5])
        last = end.err.splitlines()[-1:]
        if end.out or not last or not last[0].startswith("fastweights: "):
            return "wrong stream", f"out {end.out[-200:]!r}, err {end.err[-200:]!r}"
    if "--json" in words and not helped and end.code in (0, 1):
        try:
            json.loads(end.out)
        except ValueError as error:
            return "wrong stream", f"{error}: {end.out[:200]!r}"
    if helped and end.code == 0 and not end.out:
        return "wrong stream", f"no help: {end.err[-200:]!r}"
    return None


def one(number: int, seed: int, place: Path, settings: dict[str, list[str]]) -> Told:
    """Run a case in this process; return how it ended, and what was wrong."""
    words, asked = line(random.Random(f"{seed} {number}"), settings)
    here, home = place / str(number) / "a" / "here", place / str(number) / "home"
    here.mkdir(parents=True)
    home.mkdir()
    for folder in RUNS.values():
        if any(folder in word for word in words):
            shutil.copytree(place / folder, here / folder)
    before = contents(here.parents[1])
    (place / "asked").write_text(asked)
    os.environ["HOME"] = str(home)
    os.chdir(here)
    small_runs.redirect(place / "asked", place / "out", place / "err")
    code = small_runs.guarded(partial(main, words))
    after = contents(here.parents[1])
    left = [name for name in before.keys() | after if before.get(name) != after.get(name)]
    shutil.rmtree(here.parents[1])
    return told(str(code), words, small_runs.End(code, *small_runs.spoken(place)), left)


def failed(
    number: int, ended: small_runs.End, seed: int, place: Path, settings: dict[str, list[str]]
) -> Told:
    """Tell of a case that ended its process, or took too long."""
    words, _ = line(random.Random(f"{seed} {number}"), settings)
    shutil.rmtree(place / str(number), ignore_errors=True)
    return told("cut off" if ended.code is None else str(ended.code), words, ended, [])


def told(how: str, words: list[str], ended: small_runs.End, left: list[str]) -> Told:
    """Return what is told of a case."""
    kind, why = wrong(words, ended, left) or ("", "")
    return {"ended": how, "kind": kind, "told": why, "words": repr(words), "err": ended.err[-300:]}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run made-up command lines.")
    parser.add_argument("cases", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of all that is made up")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--show", action="store_true", help="print every case and how it ended")
    parser.add_argument("--json", action="store_true", help="print a JSON row a part")
    return parser.parse_args()


def part(
    numbers: range, options: argparse.Namespace, place: Path, settings: dict[str, list[str]]
) -> int:
    """Run some cases and report them; return how many ended wrong."""
    faults: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    ways = (
        partial(way, seed=options.seed, place=place, settings=settings) for way in (one, failed)
    )
    found = each(numbers, *ways, place, seconds=SECONDS, before=small_steps)
    for number, ended in zip(numbers, found, strict=True):
        codes[ended["ended"]] += 1
        faults[ended["kind"]] += 1
        if options.show or ended["kind"]:
            what = f"{ended['kind']}\n    {ended['told']}" if ended["kind"] else ended["err"]
            print(f"{number}: {ended['ended']}: {ended['words']}: {what}", file=sys.stderr)
    del faults[""]
    row = {"seed": options.seed, "first": numbers.start, "cases": len(numbers)}
    row |= {"wrong": faults.total(), **{f"wrong: {kind}": n for kind, n in faults.items()}}
    row |= {f"ended {code}": codes[code] for code in sorted(codes)}
    said = f"{faults.total()} of {len(numbers)} command lines ended wrong: {dict(faults)}; {dict(codes)}"
    proof.report(row, said, as_json=options.json)
    return faults.total()


def all_right() -> bool:
    options, wrong = parsed(), 0
    last = options.first + options.cases
    with tempfile.TemporaryDirectory() as folder, small_runs.made(Path(folder)) as settings:
        small_runs.train_each(Path(folder), settings)
        for first in range(options.first, last, PART):
            wrong += part(range(first, min(first + PART, last)), options, Path(folder), settings)
    return wrong == 0


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
