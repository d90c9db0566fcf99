"""Run the whole suite again and again under each setting of the processor's kernels, and count the tests that fail.

    python scripts/repeat_suite.py 10 --json >> results/reliability/suite.jsonl
    python scripts/repeat_suite.py 1 --settings avx2 -- -k lstm              # what follows -- goes to pytest

Under the settings the matrix products of PyTorch and MKL have other bits: plain; `default`, torch's kernels without
vectors; `avx2`, torch's for AVX2 and MKL's that every such processor repeats. A row is one run, printed when it ends:
runs of several days add up. Exit code 1 if a test failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import proof

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "plain": {},
    "default": {"ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE"},
}
PYTEST = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
"""As `make test` runs it."""


def run(setting: str, arguments: Sequence[str]) -> dict[str, proof.Cell]:
    """Run the suite once and return its row."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *PYTEST, *arguments]
        start = time.monotonic()
        environment = os.environ | SETTINGS[setting]
        code = subprocess.run(words, cwd=ROOT, env=environment, stdout=2).returncode
        seconds = time.monotonic() - start
        found = dict(counted(report)) if report.exists() else {}
    wrong = found.pop("wrong", None) or int(code != 0)  # pytest itself may have ended badly
    row: dict[str, proof.Cell] = {"setting": setting, **SETTINGS[setting]}
    return row | found | {"wrong": wrong, "exit_code": code, "seconds": round(seconds, 1)}


def counted(report: Path) -> Iterator[tuple[str, proof.Cell]]:
    """Yield what a report of pytest's counts, and the names of the tests that failed."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    yield "tests", counts["tests"]
    yield "skipped", counts["skipped"]
    yield "wrong", counts["failures"] + counts["errors"]
    yield "failed", " ".join(failed)


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Repeat the whole suite.", epilog="Arguments behind -- go to pytest."
    )
    parser.add_argument("runs", type=int, help="under each setting")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--json", action="store_true", help="print a JSON row a run")
    words, behind = list(sys.argv[1:] if words is None else words), []
    if "--" in words:
        words, behind = words[: words.index("--")], words[words.index("--") + 1 :]
    return parser.parse_args(words, argparse.Namespace(pytest=behind))


def all_right(words: Sequence[str] | None = None) -> bool:
    options, right = parsed(words), True
    for number in range(options.runs):
        for setting in options.settings:
            row = run(setting, options.pytest)
            line = f"run {number + 1}, {setting}: {row.get('tests', 0)} tests, {row['wrong']} wrong"
            proof.report(row, f"{line}, {row['seconds']} s", as_json=options.json)
            right &= row["wrong"] == 0
    return right


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
