"""Make small wrong edits of the library, one at a time, and count those that no test notices.

    PYTHONPATH=scripts python -m pytest -p mutate_tests --map runs/mutate/map.jsonl     # once: what each test calls
    python scripts/mutate.py 25 --json > results/reliability/mutations.jsonl

So many edits of each room, drawn by a seed evenly over its files and over the kinds of edits, each made in a copy of
the last commit. The tests that call the edited function run first, the quickest in front, until one fails; then those
that call its module, or name what it defines. A test that hangs has noticed. What was found is kept in runs/mutate, so
that a second call goes on; `--again` tries what survived at an earlier commit. Edits that change nothing that a test
could see are listed in mutants_equivalent.toml, each with its reason. Exit code 1 if any other survived.

The known libraries do not do: mutmut leaves out decorated functions, and its wrappers do not compile as kernels;
cosmic-ray edits the checkout itself, and starts all tests anew for each edit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import mutate_run
from mutate_tests import LIBRARY, Known, digest_of
from mutations import Mutation, mutations

ROOT = Path(__file__).parent.parent
ROOMS = {
    "io": ["io/*"], "runs": ["runs/*"], "ops": ["ops/*"], "kernels": ["ops/*/cpu/*"],
    "nn": ["nn/*"], "models": ["models/*"], "tasks": ["tasks/*"], "training": ["training/*"],
    "experiments": ["experiments/*"],
}  # fmt: skip
EXCEPT = {"ops": ["ops/*/cpu/*"], "experiments": ["*/figures.py", "*/plotting.py"]}
"""Kernels take their time to compile and are a room of their own; pictures are looked at."""

RESULTS = ("killed", "survived", "equivalent")


def drawn(count: int, seed: int, rooms: list[str]) -> Iterator[tuple[str, Mutation]]:
    """Yield so many edits of each room, evenly over its files and the kinds of edits."""
    library = ROOT / LIBRARY
    for room in rooms:
        chance = random.Random(f"{seed} {room}")
        by_kind: dict[str, dict[str, list[Mutation]]] = {}
        for path in sorted(library.rglob("*.py")):
            module = path.relative_to(library).as_posix()
            if any(fnmatch(module, p) for p in ROOMS[room]) and not any(
                fnmatch(module, p) for p in EXCEPT.get(room, [])
            ):
                kinds = by_kind.setdefault(module, {})
                for mutation in mutations(module, path.read_text()):
                    kinds.setdefault(mutation.kind, []).append(mutation)
        left, turn = count, []
        while left and any(by_kind.values()):
            if not turn:
                turn = sorted(module for module, kinds in by_kind.items() if kinds)
                chance.shuffle(turn)
            kinds = by_kind[turn.pop()]
            kind = chance.choice(sorted(kinds))
            yield room, kinds[kind].pop(chance.randrange(len(kinds[kind])))
            if not kinds[kind]:
                del kinds[kind]
            left -= 1


class Ledger:
    """What was found, a row an edit. What killed an edit does so while the file stays; what lived is tried again."""

    def __init__(self, path: Path, commit: str) -> None:
        self.path, self.commit = path, commit
        rows = path.read_text().splitlines() if path.exists() else []
        self.rows = {(row["name"], row["source"]): row for row in map(json.loads, rows)}

    def find(self, name: str, source: str, again: bool) -> dict[str, Any] | None:
        row = self.rows.get((name, source))
        stale = again and row and row["result"] == "survived" and row["commit"] != self.commit
        return None if stale else row

    def add(self, row: dict[str, Any]) -> None:
        self.rows[row["name"], row["source"]] = row
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def copied(work: Path) -> tuple[Path, str]:
    """Return a folder with the files of the last commit, those alone touched that are not there yet; and the commit."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
    tree = work / "tree"
    index = {**os.environ, "GIT_INDEX_FILE": str(work / "index"), "GIT_WORK_TREE": str(tree)}
    tree.mkdir(parents=True, exist_ok=True)
    subprocess.check_call([*git, "read-tree", "--reset", "-u", "HEAD"], env=index)
    return tree, commit


def equivalent() -> dict[str, str]:
    """Return the edits that change nothing that a test could see, each with its reason."""
    known = tomllib.loads((ROOT / "scripts" / "mutants_equivalent.toml").read_text())
    return {entry["name"]: entry["why"] for entry in known["mutant"]}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Count the small wrong edits that no test notices."
    )
    parser.add_argument("edits", type=int, help="of each room")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS), help="which")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "mutate", help="folder")
    parser.add_argument(
        "--wide", type=float, default=60, help="seconds of tests, where the first pass"
    )
    parser.add_argument("--again", action="store_true", help="try what survived at another commit")
    parser.add_argument("--known", action="store_true", help="run nothing, report what is known")
    parser.add_argument("--list", action="store_true", help="print what is drawn, run nothing")
    parser.add_argument("--json", action="store_true", help="print a JSON row a room")
    return parser.parse_args()


def all_noticed() -> bool:
    options = parsed()
    draw = list(drawn(options.edits, options.seed, options.rooms))
    if options.list:
        for room, mutation in draw:
            print(f"{room}: {mutation.line}: {mutation.name}")
        return True
    work = options.work.absolute()
    tree, commit = copied(work)
    tests, ledger = Known.load(work / "map.jsonl", tree), Ledger(work / "ledger.jsonl", commit)
    same = equivalent()
    mutate_run.preload()
    found: dict[str, list[dict[str, Any]]] = {room: [] for room in options.rooms}
    for room, mutation in draw:
        digest = digest_of(tree / LIBRARY / mutation.module)
        row = ledger.find(mutation.name, digest, options.again)
        if mutation.name in same:
            row = {"name": mutation.name, "result": "equivalent"}
        if row is None and options.known:
            continue
        if row is None:
            row = {"name": mutation.name, "source": digest, "commit": commit, "line": mutation.line}
            row |= mutate_run.tried(mutation, tree, tests, options.wide)
            ledger.add(row)
            print(
                f"{room}: {row['result']}: {mutation.name}: {row['by']}",
                file=sys.stderr,
                flush=True,
            )
        found[room].append(row)
    import proof  # loads the library, which no fork may have loaded before

    for room, rows in found.items():
        by = {
            result: [row["name"] for row in rows if row["result"] == result] for result in RESULTS
        }
        counts = {result: len(names) for result, names in by.items()}
        line = f"{room}: {counts['survived']} of {len(rows) - counts['equivalent']} edits survived"
        row = {"room": room, "seed": options.seed, "edits": len(rows), **counts}
        proof.report({**row, "names": by["survived"]}, line, as_json=options.json)
    return not any(row["result"] == "survived" for rows in found.values() for row in rows)


if __name__ == "__main__":
    sys.exit(0 if all_noticed() else 1)
