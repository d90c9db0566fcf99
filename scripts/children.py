"""Cases run in a process of its own, started anew where it dies, so that the case that killed it is known."""

from __future__ import annotations

import argparse
import contextlib
import functools
import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple, NoReturn

import proof

PATIENCE = 1800.0
"""Seconds after which a case counts as hung; the first compiles kernels, on a busy machine for minutes."""


class Found(NamedTuple):
    """What a case found.

    Attributes:
        calls: how many it made.
        wrong: what was wrong with them.
        left_out: how many of them were not judged in full, by reason.
    """

    calls: int
    wrong: tuple[str, ...] = ()
    left_out: Mapping[str, int] = {}


def outcomes(case: Callable[[int], Found], numbers: Sequence[int]) -> Iterator[tuple[int, Found]]:
    """Yield every number and what its case found; a case that ends its process, or hangs, is a fault of its own.

    The process is not a fork: one of those would run every kernel on one thread.
    """
    left = list(numbers)
    while left:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve, args=(case, left, theirs), daemon=True)
        process.start()
        theirs.close()
        try:
            while left:
                found = _received(ours)
                if isinstance(found, Found):
                    yield left.pop(0), found
                    continue
                if found == "hung":
                    process.kill()
                process.join()
                yield left.pop(0), Found(1, (f"{found}, exit code {process.exitcode}",))
                break
        except BaseException:  # nobody asks for more: this process is to end
            process.kill()
            raise
        finally:
            process.join()


def _received(pipe: Connection) -> Found | str:
    try:
        return pipe.recv() if pipe.poll(PATIENCE) else "hung"
    except (EOFError, OSError):
        return "the process died"


def serve(case: Callable[[int], Found], numbers: Sequence[int], pipe: Connection) -> None:
    """Send what each case finds, as long as somebody reads it."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal's goes to both; the parent ends this one
    with contextlib.suppress(BrokenPipeError):  # the parent is no more
        for number in numbers:
            pipe.send(case(number))


def stop(number: int, frame: object) -> NoReturn:
    """End in order at a signal."""
    sys.exit(128 + number)


def all_right(
    about: str, case: Callable[[int, int], Found], describe: Callable[[int, int], object]
) -> bool:
    """Run the cases that the command line asks for, a line or row a part; return whether none found anything.

    SIGTERM and Ctrl-C end it with what it has found since the last row, and exit code 143 or 130.

    Args:
        about: what the program does, for its help.
        case: called with the seed and a case's number.
        describe: likewise; prints what that case is, where it is run alone.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("cases", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of all cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--part", type=int, default=1000, help="cases a line")
    parser.add_argument(
        "--only", type=int, help="run and describe this case alone, in this process"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON row a part")
    options = parser.parse_args()
    if options.only is not None:
        describe(options.seed, options.only)
        found = case(options.seed, options.only)
        part = Part(options.seed, options.only)
        part.add(found)
        print(*found.wrong, sep="\n")
        part.report(as_json=False)
        return not found.wrong
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    numbers = range(options.first, options.first + options.cases)
    right, part = True, Part(options.seed, options.first)
    with contextlib.closing(outcomes(functools.partial(case, options.seed), numbers)) as found:
        try:
            for number, each in found:
                for wrong in each.wrong:
                    print(f"case {number}: {wrong}", file=sys.stderr, flush=True)
                right = right and not each.wrong
                part.add(each)
                if part.cases == options.part:
                    part.report(as_json=options.json)
                    part = Part(options.seed, number + 1)
        finally:
            if part.cases:
                part.report(as_json=options.json)
    return right


class Part:
    """The sum of some cases: a line or a row."""

    def __init__(self, seed: int, first: int) -> None:
        self.seed, self.first = seed, first
        self.cases = self.calls = self.wrong = 0
        self.left_out = Counter[str]()

    def add(self, found: Found) -> None:
        self.cases += 1
        self.calls += found.calls
        self.wrong += len(found.wrong)
        self.left_out.update(found.left_out)

    def report(self, *, as_json: bool) -> None:
        row = {"seed": self.seed, "first": self.first, "cases": self.cases, "calls": self.calls}
        line = f"cases from {self.first}: {self.wrong} wrong in {self.calls} calls"
        line += "".join(f", {count} {reason}" for reason, count in self.left_out.items())
        proof.report(row | {"wrong": self.wrong} | self.left_out, line, as_json=as_json)
