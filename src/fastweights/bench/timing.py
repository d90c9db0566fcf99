"""Times of several callables side by side: interleaved, warmed up, medians; and the quiet surroundings they need."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch

from fastweights.errors import UserError, check_at_least

SHORTEST_BURST = 0.02
"""Seconds: quicker calls are timed several in a row, so neither the clock nor a rival's cache traffic decides."""


class Timing(NamedTuple):
    """Times of one call, over the rounds.

    Attributes:
        median: seconds.
        minimum: seconds.
        spread: interquartile range as a share of the median; 0 from a single round.
        rounds: how many times it was measured.
        calls: calls in a row in each round.
    """

    median: float
    minimum: float
    spread: float
    rounds: int
    calls: int


@contextlib.contextmanager
def quiet(threads: int = 1) -> Iterator[None]:
    """Set torch and Numba to `threads` threads each, and stop the garbage collector, until the block ends.

    Raises:
        UserError: if `threads` is below 1 or more than Numba has.

    Example:
        >>> with quiet(threads=1):
        ...     torch.get_num_threads()
        1
    """
    check_at_least(1, threads=threads)
    with contextlib.ExitStack() as held:
        held.callback(torch.set_num_threads, torch.get_num_threads())
        gc.collect()
        if gc.isenabled():
            held.callback(gc.enable)
        gc.disable()
        # Numba first: when it starts its threads it also sets OpenMP's number, which is torch's.
        if importlib.util.find_spec("numba") is not None:
            import numba

            held.callback(numba.set_num_threads, numba.get_num_threads())
            try:
                numba.set_num_threads(threads)
            except ValueError as error:
                raise UserError(
                    f"{threads} threads are more than Numba has here: {error}"
                ) from None
        torch.set_num_threads(threads)
        yield


def side_by_side(
    callables: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    burst: float = SHORTEST_BURST,
    device: str = "cpu",
) -> dict[str, Timing]:
    """Time each callable once a round, so that whatever disturbs the machine disturbs all of them.

    Two calls of each come before the first round: one for cold caches, page faults and compilation, one to learn how
    many calls in a row fill a burst.

    Args:
        callables: what to time, by name, in the order of a round; every second round goes backwards.
        rounds: measurements of each, ≥ 1.
        burst: seconds that a measurement lasts at least.
        device: where the work is done; on "cuda" its own events tell the time.

    Returns:
        A `Timing` for each name.

    Raises:
        UserError: if `rounds` is below 1.

    Example:
        >>> sorted(side_by_side({"sum": lambda: sum(range(9)), "nothing": lambda: None}, rounds=3, burst=1e-5))
        ['nothing', 'sum']
    """
    check_at_least(1, repeats=rounds)
    calls: dict[str, int] = {}
    seconds = _device_seconds if device == "cuda" else _seconds
    for name, function in callables.items():
        function()
        calls[name] = max(1, math.ceil(burst / max(seconds(function, 1), 1e-9)))
    taken: dict[str, list[float]] = {name: [] for name in callables}
    order = list(callables)
    for _ in range(rounds):
        for name in order:
            taken[name].append(seconds(callables[name], calls[name]))
        order.reverse()
    return {name: _summary(measured, calls[name]) for name, measured in taken.items()}


def _seconds(function: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def _device_seconds(function: Callable[[], object], calls: int) -> float:
    """What the device takes, and waits for its host between the calls; nothing before them counts."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / calls


def _summary(seconds: list[float], calls: int) -> Timing:
    median = statistics.median(seconds)
    spread = 0.0
    if len(seconds) > 1:
        low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
        spread = (high - low) / median
    return Timing(median, min(seconds), spread, len(seconds), calls)
