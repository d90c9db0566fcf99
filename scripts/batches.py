"""Many cases in one process after the other, each behind one that hangs or crashes in a new one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import small_runs

BATCH = 200
"""Cases that one process runs."""

Told = dict[str, str]
"""What is told of a case."""


def each(
    numbers: Sequence[int],
    one: Callable[[int], Told],
    failed: Callable[[int, small_runs.End], Told],
    place: Path,
    *,
    seconds: float,
    before: Callable[[], None] = lambda: None,
) -> Iterator[Told]:
    """Yield what is told of each case.

    Args:
        numbers: of the cases.
        one: runs a case in a fork.
        failed: tells of one that ended its process, or was stopped.
        place: where a fork keeps its files `log`, `out` and `err`.
        seconds: time for a case.
        before: called first in each fork.
    """
    done, log = 0, place / "log"
    while done < len(numbers):
        log.write_bytes(b"")

        def batch(first: int = done) -> int:
            before()
            with log.open("a") as file:
                for number in islice(numbers, first, first + BATCH):
                    print(json.dumps(one(number)), file=file, flush=True)
            return 0

        process = small_runs.start(batch, place / "out", place / "err")
        told, code = _watched(process, log, seconds)
        yield from told
        done += len(told)
        if code != 0:
            yield failed(numbers[done], small_runs.End(code, *small_runs.spoken(place)))
            done += 1


def _watched(process: int, log: Path, seconds: float) -> tuple[list[Told], int | None]:
    """Wait until a batch ends, or a case takes too long; return what it told and its exit code, None: killed."""
    lines, since = 0, time.monotonic()
    code = None
    while code is None and time.monotonic() - since < seconds:
        time.sleep(0.05)
        ended, status = os.waitpid(process, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status) if ended else None
        now = log.read_bytes().count(b"\n")
        if now > lines:
            lines, since = now, time.monotonic()
    if code is None:
        small_runs.kill(process)
    return [json.loads(line) for line in log.read_text().split("\n")[:-1]], code
