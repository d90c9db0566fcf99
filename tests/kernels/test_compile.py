"""Compilation: cached where possible, never stale, timed, and its failure a clear error."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from fastweights.kernels import compile as compiling
from fastweights.kernels.compile import CompileError, helper, kernel
from fastweights.kernels.simd import at, pointer, put, scalar

KERNEL = """
from fastweights.kernels.compile import kernel
from another import twice

@kernel
def run(x):
    return twice(x) + 1

if __name__ == "__main__":
    answer = run(3)
    stats = run.dispatcher.stats
    print(answer, sum(stats.cache_hits.values()))
"""
PART = """
from fastweights.kernels.compile import helper

@helper
def twice(x):
    return {factor} * x
"""


def _run(folder: Path, **environment: str) -> tuple[int, int]:
    """Run the kernel in a process of its own; returns its answer and how often the cache served it."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(folder / "demo_kernel.py")],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    answer, hits = result.stdout.split()
    return int(answer), int(hits)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "demo_kernel.py").write_text(KERNEL)
    (tmp_path / "another.py").write_text(PART.format(factor=2))
    return tmp_path


def test_the_cache_serves_the_next_process_until_a_helper_elsewhere_is_edited(sources):
    assert _run(sources) == (7, 0)
    assert _run(sources) == (7, 1)
    (sources / "another.py").write_text(PART.format(factor=5))
    assert _run(sources) == (16, 0)
    assert _run(sources) == (16, 1)


def test_nowhere_to_write_means_compiling_in_every_process(sources):
    nowhere = "/proc/nowhere"
    (sources / "__pycache__").write_text("a file, so no folder")
    places = dict.fromkeys(("NUMBA_CACHE_DIR", "HOME", "XDG_CACHE_HOME"), nowhere)
    for _ in range(2):
        assert _run(sources, **places, PYTHONDONTWRITEBYTECODE="1") == (7, 0)


def test_the_users_cache_folder_serves_where_the_package_cannot_be_written(sources, tmp_path):
    (sources / "__pycache__").write_text("a file, so no folder")
    places = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert _run(sources, **places) == (7, 0)
    assert _run(sources, **places) == (7, 1)


def test_processes_that_compile_at_once_write_other_files_for_other_types(sources):
    """Were files numbered, the first of each process would be the same, and one be called for the other's types."""
    names = {}
    for given in ("3", "3.0"):
        (sources / "demo_kernel.py").write_text(KERNEL.replace("run(3)", f"int(run({given}))"))
        place = sources / given
        for hits in (0, 1):
            assert _run(sources, NUMBA_CACHE_DIR=str(place)) == (7, hits)
        names[given] = {path.name.split(".")[-2] for path in place.rglob("*.nbc")}
    assert len(names["3"]) == len(names["3.0"]) == 1
    assert names["3"] != names["3.0"]


def test_code_of_edited_sources_is_removed_and_a_damaged_file_is_made_anew(sources):
    place = {"NUMBA_CACHE_DIR": str(sources / "cache")}
    for factor, answer in ((2, 7), (5, 16)):
        (sources / "another.py").write_text(PART.format(factor=factor))
        assert _run(sources, **place) == (answer, 0)
        (file,) = (sources / "cache").rglob("*.nbc")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    assert [_run(sources, **place) for _ in range(2)] == [(16, 0), (16, 1)]
    file.write_bytes(b"")
    assert _run(sources, **place) == (16, 0)


SYMBOLS = """
from demo_kernel import run
run(3)
(compiled,) = run.dispatcher.overloads.values()
print(compiled.fndesc.mangled_name)
"""


def test_no_two_processes_give_a_function_the_same_symbol(sources):
    """Else the linker takes machine code from the cache for another function that this process compiles."""
    (sources / "symbols.py").write_text(SYMBOLS)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    names = set()
    for place in ("one", "two"):
        environment["NUMBA_CACHE_DIR"] = str(sources / place)
        command = [sys.executable, str(sources / "symbols.py")]
        names.add(
            subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            ).stdout
        )
    assert len(names) == 2


def _functions(source: str, name: str) -> dict[str, Any]:
    """Compile a kernel for a float; the functions that its machine code defines, and how the linker sees them."""
    names: dict[str, Any] = {"helper": helper, "kernel": kernel}
    exec(source, names)
    names[name](1.0)
    (compiled,) = names[name].dispatcher.overloads.values()
    functions = compiled.library._final_module.functions
    return {each.name: each.linkage for each in functions if not each.is_declaration}


LONG = "@helper\ndef long(x):\n" + "    x = x * x + 1.0\n" * 200 + "    return x\n"
TWICE = "@kernel\ndef twice(x):\n    return long(x) + long(x + 1.0)\n"


def test_what_a_kernel_calls_has_no_symbol():
    """Else the linker calls the helper's own code, not optimised, in the process that compiles, and not in the next."""
    linkages = _functions(LONG + TWICE, "twice")
    helpers = [linkage for name, linkage in linkages.items() if "long" in name]
    assert helpers == [llvm.Linkage.private]  # too long to be inlined
    assert llvm.Linkage.external in linkages.values()


@helper
def _half(x):
    return x / 2


@kernel
def _quarter(x):
    """A quarter."""
    return _half(_half(x))


def test_compilation_is_timed_and_announced_once(caplog):
    before = compiling.compile_seconds()
    with caplog.at_level(logging.INFO, logger="fastweights.kernels"):
        assert [_quarter(8.0), _quarter(4.0)] == [2, 1]
    assert compiling.compile_seconds() > before
    assert [record.getMessage().split()[:2] for record in caplog.records] == [
        ["compiling", "_quarter"]
    ]


@kernel
def _broken(x):
    return x.no_such_thing


def test_a_kernel_that_does_not_compile_says_so_in_a_line():
    with pytest.raises(CompileError, match=r"_broken.*no_such_thing") as caught:
        _broken(1.0)
    assert "\n" not in str(caught.value)
    assert compiling.failures.pop() == str(caught.value)


@kernel(parallel=True)
def count_then_sum(address: int, workers: int, like: Any) -> None:
    """Each worker puts its number in its place, then the sum of all places behind them."""
    numbers = pointer(address, like)
    for worker in numba.prange(workers):
        put(numbers, worker, scalar(like, worker))
    for worker in numba.prange(workers):
        total = scalar(like, 0)
        for other in range(workers):
            total += at(numbers, other)
        put(numbers, workers + worker, total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float32])
def test_a_parallel_loop_waits_for_the_one_before_it_whatever_the_type(dtype):
    """Fused into one, the first worker would sum up before the others have written."""
    numbers = np.zeros(8, dtype)
    count_then_sum(numbers.ctypes.data, 4, dtype(0))
    assert numbers.tolist() == [0, 1, 2, 3, 6, 6, 6, 6]
