"""Every kernel for CUDA at the sizes that tables, tests and `fastweights warmup --device cuda` compile.

A case runs an op's backend forward and backward on tensors without numbers, and its launches are written down. So what
is compiled is what a call launches, and no list of kernels is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.io.showing import shown
from fastweights.kernels.triton import ready
from fastweights.kernels.triton.launch import Launch, recording
from fastweights.kernels.triton.resources import Figures, compile_ahead

CAPABILITIES = (80, 86, 90)
"""Compute capabilities that the tables have: A100; the consumer cards of its generation; H100 and H200."""
ROWS, TIME = 4, 200


class Kernel(NamedTuple):
    """One kernel of a case, by its name and the constants that are true of it."""

    case: str
    label: str


class Compiled(NamedTuple):
    """What one kernel needs on devices of one compute capability."""

    kernel: Kernel
    capability: int
    figures: Figures


def _new(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta", requires_grad=True)


def _fast_weight_memory(size: int) -> None:
    from fastweights.ops.delta_memory.cuda import run
    from fastweights.ops.delta_memory.options import Inputs, Options

    factor, reads = partial(_new, ROWS, TIME, size), 3
    queries = (factor(), _new(ROWS, TIME, reads, size))
    mask = torch.ones(ROWS, TIME, device="meta", dtype=torch.bool)
    inputs = Inputs(
        (factor(), factor()),
        factor(),
        _new(ROWS, TIME),
        queries,
        _new(ROWS, *(size,) * 3),
        mask=mask,
    )
    retrieved, memory = run(inputs, Options(clamp=True))
    assert retrieved is not None
    (retrieved.sum() + memory.sum()).backward()


def _delta_rule(size: int, gate: str | None, rule: str = "delta") -> None:
    from fastweights.ops.delta_memory.cuda import run
    from fastweights.ops.delta_memory.options import Inputs, Options

    factor = partial(_new, ROWS, TIME, size)
    alpha = {None: None, "step": _new(ROWS, TIME), "channels": factor()}[gate]
    inputs = Inputs(
        (factor(),), factor(), _new(ROWS, TIME), (factor(),), _new(ROWS, size, size), alpha
    )
    retrieved, memory = run(inputs, Options(rule))
    assert retrieved is not None
    (retrieved.sum() + memory.sum()).backward()


def _fast_weight_rnn(size: int, nonlinearity: str, form: str) -> None:
    from fastweights.ops.fast_weight_rnn.cuda import run
    from fastweights.ops.fast_weight_rnn.options import Inputs, Options

    drive, weight, gain = _new(ROWS, TIME, size), _new(size, size), _new(size)
    inputs = Inputs(
        drive,
        weight,
        _new(),
        _new(),
        gain,
        gain,
        hidden=_new(ROWS, size),
        memory=_new(ROWS, size, size),
    )
    run(inputs, Options(nonlinearity=nonlinearity, form=form)).sum().backward()


CASES: dict[str, Callable[[], None]] = {
    "Fast Weight Memory, d = 32": partial(_fast_weight_memory, 32),
    "Fast Weight Memory, d = 64": partial(_fast_weight_memory, 64),
    "gated delta rule, 64": partial(_delta_rule, 64, "step"),
    "gated delta rule, 128": partial(_delta_rule, 128, "step"),
    "Hebb's rule, 64": partial(_delta_rule, 64, None, "hebbian"),
    "delta rule gated by feature, 64": partial(_delta_rule, 64, "channels"),
    "delta rule gated by feature, 128": partial(_delta_rule, 128, "channels"),
    "Hebb's rule gated by feature, 64": partial(_delta_rule, 64, "channels", "hebbian"),
    "fast-weights RNN, H = 50": partial(_fast_weight_rnn, 50, "relu", "inner"),
    "fast-weights RNN, H = 100": partial(_fast_weight_rnn, 100, "tanh", "inner"),
    "fast-weights RNN, H = 128, flat": partial(_fast_weight_rnn, 128, "relu", "flat"),
}
"""By name, what runs an op's kernels forward and backward at some size, in float32."""


@cache
def launches(case: str) -> dict[str, Launch]:
    """Return a case's launches, each kernel once, by a name and the constants that are true of it.

    Raises:
        ImportError: where Triton is not installed.
    """
    with recording() as started:
        CASES[case]()
    found: dict[str, Launch] = {}
    for each in started:
        flags = [name for name, value in each.constants.items() if value is True]
        label = base = " ".join((each.kernel.__name__, *flags))
        number = 1
        while label in found and found[label].constants != each.constants:
            number += 1
            label = f"{base} ({number})"
        found.setdefault(label, each)
    return found


def compile_kernel(kernel: Kernel, capability: int) -> Compiled:
    """Compile one kernel ahead of time; its machine code stays in Triton's cache."""
    torch.set_num_threads(1)
    return Compiled(
        kernel, capability, compile_ahead(launches(kernel.case)[kernel.label], capability)
    )


def kernels(cases: Sequence[str] = tuple(CASES)) -> list[Kernel]:
    """Return the kernels of some cases."""
    return [Kernel(case, label) for case in cases for label in launches(case)]


def compile_all(
    capabilities: Sequence[int], *, workers: int = 1, cases: Sequence[str] = tuple(CASES)
) -> Iterator[Compiled]:
    """Compile all kernels of some cases, in so many processes; yields each as it is done.

    Raises:
        ImportError: where Triton is not installed.
    """
    work = [(kernel, each) for kernel in kernels(cases) for each in capabilities]
    if workers == 1:
        yield from (compile_kernel(*each) for each in work)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(compile_kernel, *each) for each in work]):
            yield done.result()


class Warmed(NamedTuple):
    """The outcome of a warm-up: for which compute capability how many kernels are compiled, and how many spill."""

    capability: int
    kernels: int
    spilling: int
    seconds: float


def warmup(capability: int | None = None, cases: Sequence[str] = tuple(CASES)) -> Warmed:
    """Compile the kernels of some cases, a process for each core; the machine code stays in Triton's cache.

    Args:
        capability: of the devices to compile for, such as 90; None: of the current device.
        cases: of `CASES`.

    Raises:
        UserError: where Triton cannot be used, or neither a capability is given nor a device is there.
    """
    start, reason = time.perf_counter(), ready.missing()
    if reason is not None:
        raise UserError(f"no kernel can be compiled for CUDA: {reason}")
    if capability is None:
        if not torch.cuda.is_available():
            raise UserError(
                "there is no CUDA device; --capability 90 compiles for one that is elsewhere"
            )
        major, minor = torch.cuda.get_device_capability()
        capability = 10 * major + minor
    if capability < CAPABILITIES[0]:
        raise UserError(f"capability is {capability}; accepted: {CAPABILITIES[0]} or more")
    total, done = len(kernels(cases)), []
    workers = min(total, os.cpu_count() or 1)
    with shown("kernels compiled", "kernels", total) as on_progress:
        for each in compile_all([capability], workers=workers, cases=cases):
            done.append(each)
            on_progress(len(done))
    spilling = sum(each.figures.spilled > 0 for each in done)
    return Warmed(capability, total, spilling, time.perf_counter() - start)
