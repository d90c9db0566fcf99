"""Timing measures every callable equally often, in quiet surroundings that it leaves as they were."""

from __future__ import annotations

import gc
import subprocess
import sys

import numba
import pytest
import torch

from fastweights.bench import timing
from fastweights.errors import UserError


def test_rounds_interleave_and_turn_round() -> None:
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in "abc"}
    found = timing.side_by_side(functions, rounds=2, burst=0.0)
    assert "".join(calls) == "aabbcc" + "abc" + "cba"
    assert {name: (t.rounds, t.calls) for name, t in found.items()} == dict.fromkeys("abc", (2, 1))


def test_times_come_from_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    lasts = iter([9.0, 0.25, *[1.0] * 4, *[2.0] * 4, *[4.0] * 4])

    def work() -> None:
        nonlocal now
        now += next(lasts)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    found = timing.side_by_side({"work": work}, rounds=3, burst=1.0)["work"]
    assert found == timing.Timing(median=2.0, minimum=1.0, spread=0.75, rounds=3, calls=4)


def test_one_round_has_no_spread() -> None:
    assert (
        timing.side_by_side({"nothing": lambda: None}, rounds=1, burst=0.0)["nothing"].spread == 0
    )


@pytest.mark.parametrize("rounds", [0, -3])
def test_rounds_below_one_are_refused(rounds: int) -> None:
    with pytest.raises(UserError, match="at least 1"):
        timing.side_by_side({}, rounds=rounds)


def test_quiet_holds_threads_and_collector_and_gives_them_back() -> None:
    before = torch.get_num_threads(), numba.get_num_threads(), gc.isenabled()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), timing.quiet(1):
            assert (torch.get_num_threads(), numba.get_num_threads()) == (1, 1)
            assert not gc.isenabled()
            raise ZeroDivisionError
        assert (torch.get_num_threads(), gc.isenabled()) == (2, True)
    finally:
        torch.set_num_threads(before[0])
    assert before == (torch.get_num_threads(), numba.get_num_threads(), gc.isenabled())


def test_numba_starting_its_threads_does_not_give_torch_more() -> None:
    script = (
        "import torch; from fastweights.bench import timing\n"
        "torch.set_num_threads(2)\n"
        "with timing.quiet(1): print(torch.get_num_threads())\n"
        "print(torch.get_num_threads())"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert printed.stdout.split() == ["1", "2"], printed.stderr


@pytest.mark.parametrize("threads", [0, 100_000])
def test_impossible_threads_are_refused(threads: int) -> None:
    before = torch.get_num_threads()
    with pytest.raises(UserError, match="threads"), timing.quiet(threads):
        pass
    assert torch.get_num_threads() == before and gc.isenabled()
