"""What `on_gpu.py` times: each op forward and backward at the sizes that matter, on a clock of the device's own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fastweights import ops


@dataclass(frozen=True)
class Run:
    """Where and how large: `tiny` on the processor."""

    device: str
    tiny: bool

    def size(self, real: int, tiny: int) -> int:
        return tiny if self.tiny else real

    def milliseconds(
        self, call: Callable[[], object], repeats: int = 100, warm: int = 20
    ) -> dict[str, float]:
        """Median and spread of a call, by the device's own clock."""
        repeats, warm = (2, 1) if self.tiny else (repeats, warm)
        for _ in range(warm):
            call()
        times = []
        for _ in range(repeats):
            if self.device == "cpu":
                start = time.perf_counter()
                call()
                times.append((time.perf_counter() - start) * 1e3)
                continue
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            call()
            last.record()
            last.synchronize()
            times.append(first.elapsed_time(last))
        return {"median": statistics.median(times), "least": min(times), "most": max(times)}


def draw(run: Run, *shape: int, scale: float = 1.0) -> Tensor:
    return (scale * torch.randn(shape, device=run.device)).requires_grad_()


def memory_call(
    run: Run, rows: int, time: int, size: int, carried: bool, backend: str
) -> Callable[[], Any]:
    """Forward and backward of a Fast Weight Memory with three reads, clamped."""
    k1, k2, v, n = (draw(run, rows, time, size, scale=0.3) for _ in range(4))
    e, beta = (
        draw(run, rows, time, 3, size),
        draw(run, rows, time).detach().sigmoid().requires_grad_(),
    )
    F = draw(run, rows, size, size, size, scale=0.01) if carried else None
    leaves = [x for x in (k1, k2, v, n, e, beta, F) if x is not None]

    def call() -> Any:
        found = ops.delta_memory(
            (k1, k2), v, beta, queries=(n, e), memory=F, gate="norm", backend=backend
        )
        return torch.autograd.grad(
            [x for x in found if x is not None], leaves, [torch.ones_like(x) for x in found]
        )

    return call


def delta_call(run: Run, rows: int, time: int, size: int, backend: str) -> Callable[[], Any]:
    """Forward and backward of the gated delta rule."""
    k, q, v = (
        draw(run, rows, time, size, scale=size**-0.5),
        *(draw(run, rows, time, size) for _ in range(2)),
    )
    beta, gate = (draw(run, rows, time).detach().sigmoid().requires_grad_() for _ in range(2))

    def call() -> Any:
        read, _ = ops.delta_memory(
            (k,), v, beta, queries=(q,), gate=gate, read_norm=False, backend=backend
        )
        return torch.autograd.grad(read.sum(), [k, v, q, beta, gate])

    return call


def rnn_call(run: Run, rows: int, time: int, size: int, backend: str) -> Callable[[], Any]:
    """Forward and backward of the fast-weights RNN."""
    drive, weight, gain = (
        draw(run, rows, time, size),
        draw(run, size, size, scale=0.1),
        draw(run, size),
    )

    def call() -> Any:
        found = ops.fast_weight_rnn(
            drive,
            weight,
            decay=0.95,
            rate=0.5,
            norm_weight=gain,
            norm_bias=gain,
            need_state=False,
            backend=backend,
        )
        return torch.autograd.grad(found[0].sum(), [drive, weight, gain])

    return call


def calls(run: Run) -> dict[str, Callable[[str], Callable[[], Any]]]:
    """By name, what builds each timed call for a backend."""
    B, T, d = run.size(64, 1), run.size(200, 19), run.size(32, 4)
    return {
        f"Fast Weight Memory B{B} T{T} d{d} from zero": partial(memory_call, run, B, T, d, False),
        f"Fast Weight Memory B{B} T{T} d{d} carried": partial(memory_call, run, B, T, d, True),
        "gated delta rule 64 rows T2048 64": partial(delta_call, run, B, run.size(2048, 19), run.size(64, 4)),
        "gated delta rule 64 rows T2048 128": partial(delta_call, run, B, run.size(2048, 19), run.size(128, 4)),
        "fast-weights RNN B128 T11 H50": partial(rnn_call, run, run.size(128, 1), 11, run.size(50, 4)),
        "fast-weights RNN B128 T64 H128": partial(rnn_call, run, run.size(128, 1), run.size(64, 5), run.size(128, 4)),
    }  # fmt: skip
