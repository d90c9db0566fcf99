"""Compilation ahead of time: every fused kernel once, so that no later run waits for it."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import NamedTuple

import torch

from fastweights import ops
from fastweights.io.showing import shown

HIDDEN = 8


class Case(NamedTuple):
    """The kernels of an op for a type, which share functions: one process compiles them all."""

    op: str
    dtype: torch.dtype


class Warmed(NamedTuple):
    """The outcome of a warm-up.

    Attributes:
        backend: "cpu", or what runs where that cannot.
        compile_seconds: of compilation, or of loading what was compiled before, in all processes together.
        seconds: in all.
    """

    backend: str
    compile_seconds: float
    seconds: float


def warmup(processes: int = 1) -> Warmed:
    """Run every fused kernel forward and backward on tiny data; the machine code stays in the cache on disk.

    There are kernels for one thread, and others for several where torch has more than one.

    Args:
        processes: that compile side by side, ≥ 1; where more than one, a script calls this under `__main__` alone.

    Example:
        >>> warmup().backend in ("cpu", "chunked")
        True
    """
    start, before = time.perf_counter(), torch.get_num_threads()
    cases = [Case(*each) for each in itertools.product(WARMUPS, (torch.float64, torch.float32))]
    if importlib.util.find_spec("numba") is None:
        processes = 1
    found, seconds = set[str](), 0.0
    try:
        with shown("kernels", "cases", len(cases)) as on_progress:
            for done, each in enumerate(_compiled(cases, before, min(processes, len(cases)))):
                found |= each.backends
                seconds += each.compile_seconds
                on_progress(done + 1)
    finally:
        torch.set_num_threads(before)
    return Warmed("cpu" if found == {"cpu"} else "chunked", seconds, time.perf_counter() - start)


class _Done(NamedTuple):
    backends: set[str]
    compile_seconds: float


def _compiled(cases: list[Case], threads: int, processes: int) -> Iterator[_Done]:
    if processes == 1:
        yield from (_compile(case, threads) for case in cases)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_compile, case, threads) for case in cases]):
            yield done.result()


def _compile(case: Case, threads: int) -> _Done:
    before, backends = _compile_seconds(), set[str]()
    for each in {1, threads}:
        torch.set_num_threads(each)
        backends |= WARMUPS[case.op](case.dtype)
    return _Done(backends, _compile_seconds() - before)


def _fast_weight_rnn(dtype: torch.dtype) -> set[str]:
    """Run all forms of the fast-weights RNN, each of which has kernels of its own."""
    forms = itertools.product(("relu", "tanh"), ("inner", "flat"), (True, False))
    return {_recurrence(dtype, *form) for form in forms}


def _recurrence(dtype: torch.dtype, nonlinearity: str, form: str, norm: bool) -> str:
    drive = torch.zeros(2, 3, HIDDEN, dtype=dtype, requires_grad=True, device="cpu")
    weight = torch.zeros(HIDDEN, HIDDEN, dtype=dtype, requires_grad=True, device="cpu")
    gain = torch.ones(HIDDEN, dtype=dtype, requires_grad=True, device="cpu") if norm else None
    found = ops.backend.resolve(
        "fast_weight_rnn", "auto", drive, inner_steps=1, nonlinearity=nonlinearity, form=form
    )
    outputs, hidden, memory = ops.fast_weight_rnn(
        drive,
        weight,
        decay=0.95,
        rate=0.5,
        norm_weight=gain,
        norm_bias=None if gain is None else torch.zeros_like(gain),
        nonlinearity=nonlinearity,
        form=form,
    )
    assert hidden is not None and memory is not None
    (outputs.sum() + hidden.sum() + memory.sum()).backward()
    return found


def _delta_memory(dtype: torch.dtype) -> set[str]:
    """Run the delta memory, whose forms three kernels serve: with a decay a step, or for each feature, and one step."""
    keys = torch.zeros(2, 3, HIDDEN, dtype=dtype, requires_grad=True, device="cpu")
    found = ops.backend.resolve("delta_memory", "auto", keys)
    for gate in (None, keys):
        retrieved, memory = ops.delta_memory(
            (keys,), keys, keys[..., 0], queries=(keys,), gate=gate
        )
        assert retrieved is not None
        (retrieved.sum() + memory.sum()).backward()
    with torch.no_grad():
        one = torch.zeros(1, 1, 64, dtype=dtype, device="cpu")
        memory = torch.zeros(1, 64, 64, dtype=dtype, device="cpu")
        ops.delta_memory((one,), one, one[..., 0], queries=(one,), memory=memory, read_norm=False)
    return {found}


def _lstm(dtype: torch.dtype) -> set[str]:
    gates = torch.zeros(2, 3, 4 * HIDDEN, dtype=dtype, requires_grad=True, device="cpu")
    weight = torch.zeros(4 * HIDDEN, HIDDEN, dtype=dtype, requires_grad=True, device="cpu")
    found = ops.backend.resolve("lstm", "auto", gates)
    outputs, hidden, cell = ops.lstm(gates, weight)
    (outputs.sum() + hidden.sum() + cell.sum()).backward()
    return {found}


WARMUPS: dict[str, Callable[[torch.dtype], set[str]]] = {
    "delta_memory": _delta_memory,
    "fast_weight_rnn": _fast_weight_rnn,
    "lstm": _lstm,
}
"""For each op, what runs all its kernels in a dtype and returns the backends that ran."""


def _compile_seconds() -> float:
    if importlib.util.find_spec("numba") is None:
        return 0.0
    from fastweights.kernels import compile

    return compile.compile_seconds()
