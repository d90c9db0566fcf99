"""Compilation ahead of time: every fused kernel once, so that no later run waits for it."""

from __future__ import annotations

import importlib.util
import itertools
import time
from typing import Any

import torch

from fastweights import ops

HIDDEN = 8


def warmup() -> dict[str, Any]:
    """Run every fused kernel forward and backward on tiny data; the machine code stays in the cache on disk.

    Returns:
        `backend` ("cpu", or what runs where it cannot), `compile_seconds` (compilation, or loading what was compiled),
        `seconds` (in all).

    Example:
        >>> sorted(warmup())
        ['backend', 'compile_seconds', 'seconds']
    """
    start, compiled = time.perf_counter(), _compile_seconds()
    found = set()
    for dtype in (torch.float32, torch.float64):
        for nonlinearity, form, norm in itertools.product(
            ("relu", "tanh"), ("inner", "flat"), (True, False)
        ):
            found.add(_recurrence(dtype, nonlinearity, form, norm))
        found.add(_memory(dtype))
        found.add(_lstm(dtype))
    backend = "cpu" if found == {"cpu"} else "chunked"
    return {
        "backend": backend,
        "compile_seconds": _compile_seconds() - compiled,
        "seconds": time.perf_counter() - start,
    }


def _recurrence(dtype: torch.dtype, nonlinearity: str, form: str, norm: bool) -> str:
    """Run the fast-weights RNN; returns the backend that ran."""
    drive = torch.zeros(2, 3, HIDDEN, dtype=dtype, requires_grad=True)
    weight = torch.zeros(HIDDEN, HIDDEN, dtype=dtype, requires_grad=True)
    gain = torch.ones(HIDDEN, dtype=dtype, requires_grad=True) if norm else None
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


def _memory(dtype: torch.dtype) -> str:
    """Run the delta memory, all of whose forms one kernel serves; returns the backend that ran."""
    keys = torch.zeros(2, 3, HIDDEN, dtype=dtype, requires_grad=True)
    found = ops.backend.resolve("delta_memory", "auto", keys)
    retrieved, memory = ops.delta_memory((keys,), keys, keys[..., 0], queries=(keys,))
    assert retrieved is not None
    (retrieved.sum() + memory.sum()).backward()
    return found


def _lstm(dtype: torch.dtype) -> str:
    """Run the LSTM; returns the backend that ran."""
    gates = torch.zeros(2, 3, 4 * HIDDEN, dtype=dtype, requires_grad=True)
    weight = torch.zeros(4 * HIDDEN, HIDDEN, dtype=dtype, requires_grad=True)
    found = ops.backend.resolve("lstm", "auto", gates)
    outputs, hidden, cell = ops.lstm(gates, weight)
    (outputs.sum() + hidden.sum() + cell.sum()).backward()
    return found


def _compile_seconds() -> float:
    if importlib.util.find_spec("numba") is None:
        return 0.0
    from fastweights.kernels import compile

    return compile.compile_seconds()
