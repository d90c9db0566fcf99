"""How tests are run on an edited copy of the tree: in forks of one process that has loaded what they all need."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mutate_tests import FILE, LIBRARY, Known
from mutations import Mutation

PRELOADED = "beartype hypothesis jaxtyping numba numpy pytest rich safetensors torch tyro"
GRANTED, PATIENCE = 60, 900.0
"""Seconds of processor time besides ten times what the tests take, and of waiting, after which they hang."""

OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-m", "not slow"]
KERNELS = "/cpu/"
"""What is in the name of a module of kernels."""


class First:
    """A pytest plugin that remembers the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def preload() -> None:
    """Load what the tests need, but for the library."""
    for name in PRELOADED.split():
        __import__(name)


def _run(tree: Path, kernels: Path, tests: list[str], said: Path, edited: str) -> None:
    """Run tests, write down how they ended, and end."""
    os.chdir(tree)
    sys.path.insert(0, str(tree / "src"))
    os.environ |= {"PYTHONPATH": str(tree / "src"), "NUMBA_CACHE_DIR": str(kernels)}
    out = os.open(os.devnull, os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    import pytest

    first, options = First(), [*OPTIONS, "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    if KERNELS not in edited:  # no kernel changes, and they take their time
        options += ["-k", "not cpu"]
    code = int(pytest.main([*options, *tests], plugins=[first]))
    said.write_text(json.dumps({"code": code, "test": first.failed}))


def outcome(tree: Path, kernels: Path, tests: list[str], limit: int, edited: str) -> dict[str, Any]:
    """Return how tests ended: the exit code of pytest, and the first that failed. A crash and a hang are failures."""
    said = tree.parent / "said.json"
    said.unlink(missing_ok=True)
    process = os.fork()
    if process == 0:
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            _run(tree, kernels, tests, said, edited)
        finally:
            os._exit(1)
    ends = time.monotonic() + PATIENCE
    while not os.waitpid(process, os.WNOHANG)[0]:
        if time.monotonic() > ends:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return {"code": 1, "test": "(hung)"}
        time.sleep(0.02)
    return json.loads(said.read_text()) if said.exists() else {"code": 1, "test": "(crashed)"}


def tried(mutation: Mutation, tree: Path, tests: Known, wide: float) -> dict[str, Any]:
    """Make an edit in the copy, run the tests on it until one fails, and take it back."""
    path, kernels = tree / LIBRARY / mutation.module, tree.parent / "kernels"
    kernels.mkdir(exist_ok=True)
    stages = list(tests.stages(mutation.module, mutation.function, tree, wide))
    source, times = path.read_text(), path.stat()
    path.write_text(mutation.applied(source))
    os.utime(path, (times.st_atime, time.time_ns() // 1000 % 2**31))  # no stale bytecode
    if KERNELS in mutation.module:  # what is compiled from other sources replaces what was there
        kernels = shutil.copytree(kernels, tree.parent / "edited", copy_function=os.link)
    began, ran, found = time.monotonic(), 0, {"code": 0, "test": ""}
    try:
        for stage in stages:
            ran += len(stage)
            limit = int(10 * sum(tests.seconds.get(test, FILE) for test in stage)) + GRANTED
            found = outcome(tree, kernels, stage, limit, mutation.module)
            if found["code"] not in (0, 5):  # 5: there was none to run
                break
    finally:
        path.write_text(source)
        os.utime(path, (times.st_atime, times.st_mtime))
        shutil.rmtree(tree.parent / "edited", ignore_errors=True)
    result = "survived" if found["code"] in (0, 5) else "killed"
    seconds = round(time.monotonic() - began, 1)
    found = {"result": result, "by": found["test"], "tests": ran}
    return {**found, "wide": wide, "seconds": seconds}
