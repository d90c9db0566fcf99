"""Cases run in a process of its own, started anew where it dies, so that the case that killed it is known."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import TypeAlias

import proof

PATIENCE = 1800.0
"""Seconds after which a case counts as hung; the first compiles kernels, on a busy machine for minutes."""

Found: TypeAlias = tuple[int, tuple[str, ...]]
"""How many calls a case made, and what was wrong with them."""


def outcomes(case: Callable[[int], Found], numbers: Sequence[int]) -> Iterator[tuple[int, Found]]:
    """Yield every number and what its case found; a case that ends its process, or hangs, is a fault of its own.

    The process is not a fork: one of those would run every kernel on one thread.
    """
    left = list(numbers)
    while left:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_serve, args=(case, left, theirs), daemon=True)
        process.start()
        theirs.close()
        while left:
            found = _received(ours)
            if isinstance(found, str):
                if found == "hung":
                    process.kill()
                process.join()
                found = 1, (f"{found}, exit code {process.exitcode}",)
                yield left.pop(0), found
                break
            yield left.pop(0), found
        process.join()


def _received(pipe: Connection) -> Found | str:
    try:
        return pipe.recv() if pipe.poll(PATIENCE) else "hung"
    except (EOFError, OSError):
        return "the process died"


def _serve(case: Callable[[int], Found], numbers: Sequence[int], pipe: Connection) -> None:
    for number in numbers:
        pipe.send(case(number))


def all_right(
    about: str, case: Callable[[int, int], Found], describe: Callable[[int, int], object]
) -> bool:
    """Run the cases that the command line asks for, a line or row a part; return whether none found anything.

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
        calls, wrong = case(options.seed, options.only)
        print(*wrong, f"{calls} calls, {len(wrong)} wrong", sep="\n")
        return not wrong
    numbers = range(options.first, options.first + options.cases)
    total = done = calls = bad = 0
    for number, (made, wrong) in outcomes(functools.partial(case, options.seed), numbers):
        done, calls, bad = done + 1, calls + made, bad + len(wrong)
        for each in wrong:
            print(f"case {number}: {each}", file=sys.stderr, flush=True)
        if done == options.part or number == numbers[-1]:
            first = number + 1 - done
            row = {"seed": options.seed, "first": first, "cases": done, "calls": calls}
            line = f"cases from {first}: {bad} wrong in {calls} calls"
            proof.report(row | {"wrong": bad}, line, as_json=options.json)
            total, done, calls, bad = total + bad, 0, 0, 0
    return total == 0
