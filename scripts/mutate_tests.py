"""Which tests a wrong edit is tried on, from a map of what each test calls, which this plugin of pytest writes down.

    PYTHONPATH=scripts python -m pytest -p mutate_tests --map runs/mutate/map.jsonl

A row a file of tests: of every test its seconds of processor time, and the library's functions that it calls. What
other processes and compiled kernels call is not seen, and what a cache or a shared fixture holds in the first test
alone; so the files that name what a module defines are tried too.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

import pytest

LIBRARY = Path("src", "fastweights")
FIRST, FILE = 3.0, 20.0
"""Seconds of the tests that are tried first; what a file of tests takes that is not in the map."""

OTHER_NAMES = {"delta_memory": "memory", "fast_weight_rnn": "recurrence", "metro_map": "metro"}
LAWS = {"nn": ["tests/nn/test_protocol.py"], "models": ["tests/models/test_sequence_model.py"]}
"""What the tests of a folder are called, and what holds for all of a room and names none of it."""


def digest_of(path: Path) -> str:
    """Return what a file that has changed differs in; of a file that is not there nothing."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""


class Known(NamedTuple):
    """What is known: of every test its seconds and what it calls."""

    seconds: dict[str, float]
    calls: dict[str, set[str]]

    @classmethod
    def load(cls, path: Path, tree: Path) -> Known:
        """Read a map, without the files of tests that have changed since; none knows nothing."""
        seconds: dict[str, float] = {}
        calls: dict[str, set[str]] = {}
        rows = path.read_text().splitlines() if path.exists() else []
        for row in map(json.loads, rows):
            if row["digest"] == digest_of(tree / row["file"]):
                for test, (took, names) in row["tests"].items():
                    seconds[test], calls[test] = took, set(names)
        return cls(seconds, calls)

    def that_call(self, begin: str, whole: str = "") -> list[str]:
        """Return the tests that call a function whose name begins so, the quickest first."""
        found = [
            test
            for test, names in self.calls.items()
            if any(name == whole or name.startswith(begin) for name in names)
        ]
        return sorted(found, key=lambda test: (self.seconds[test], test))

    def within(self, tests: list[str], most: float) -> list[str]:
        """Return as many of the first as take so many seconds."""
        chosen, total = [], 0.0
        for test in tests:
            total += self.seconds[test]
            if total > most:
                break
            chosen.append(test)
        return chosen

    def stages(self, module: str, function: str, tree: Path, wide: float) -> Iterator[list[str]]:
        """Yield what to run for an edit: the room's own tests that call its function, then so many seconds of others.

        These call the function, or the module, or are the module's examples, or files that name what it defines; one of
        these at least where no test is known.
        """
        of_module = self.that_call(f"{module}:")
        exact = self.that_call(f"{module}:{function}.<locals>", f"{module}:{function}")
        exact = (function and exact) or of_module
        own = f"tests/{module.split('/')[0]}/"
        first = self.within([test for test in exact if test.startswith(own)] or exact, FIRST)
        if first:
            yield first
        rest = [test for test in dict.fromkeys(exact + of_module) if test not in first]
        rest = self.within(rest, wide)
        left = wide - sum(self.seconds[test] for test in rest)
        rest.append(str(LIBRARY / module))
        for file in naming(module, tree):
            if left <= 0 and (first or len(rest) > 1):
                break
            rest.append(file)
            known = [took for test, took in self.seconds.items() if test.split("::")[0] == file]
            left -= sum(known) or FILE
        yield rest


def naming(module: str, tree: Path) -> list[str]:
    """Return the files of the room's tests that name most of what a module defines, or its folder, the best first."""
    path, room = tree / LIBRARY / module, module.split("/")[0]
    nodes = ast.parse(path.read_text()).body
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {path.stem, path.parent.name} - {"__init__", room}
    names |= {OTHER_NAMES[name] for name in names & OTHER_NAMES.keys()}
    named: dict[str, int] = {}
    for file in sorted((tree / "tests" / room).glob("test_*.py")):
        words = set(re.findall(r"\w+", file.read_text()))
        called = names & set(file.stem.split("_")) or file.stem.removeprefix("test_") in names
        named[file.relative_to(tree).as_posix()] = len(words & names) + 5 * bool(called)
    best = sorted((file for file in named if named[file]), key=lambda file: -named[file])
    return list(dict.fromkeys(best[:1] + LAWS.get(room, []) + best))


class Mapping:
    """What each test of a file calls, and how long it takes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = ""
        self.tests: dict[str, tuple[float, list[str]]] = {}

    def write(self) -> None:
        if self.tests:
            row = {"file": self.file, "digest": digest_of(Path(self.file)), "tests": self.tests}
            with self.path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        self.tests = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        file = item.nodeid.split("::")[0]
        if file != self.file:
            self.write()
            self.file = file
        called: set[CodeType] = set()

        def note(frame: FrameType, event: str, argument: object) -> None:
            called.add(frame.f_code)

        began = sum(os.times()[:4])
        threading.settrace(note)
        sys.settrace(note)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        seconds, library = round(sum(os.times()[:4]) - began, 3), f"{LIBRARY.absolute()}{os.sep}"
        ours = [code for code in called if code.co_filename.startswith(library)]
        names = {f"{code.co_filename[len(library) :]}:{code.co_qualname}" for code in ours}
        self.tests[item.nodeid] = (seconds, sorted(names))

    def pytest_sessionfinish(self) -> None:
        self.write()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--map", type=Path, help="file that the rows are added to")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--map"):
        config.pluginmanager.register(Mapping(config.getoption("--map")), "mutate-map")
