"""One sequence of a trace as arrays: what the pictures of a memory draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fastweights.errors import UserError
from fastweights.nn.backbone import Trace


def check(trace: Trace, symbols: Sequence[str], row: int) -> None:
    """Check that the trace has the row, and that symbols are one a step.

    Raises:
        UserError: saying which.
    """
    batch, steps = trace.hidden.shape[:2]
    if not 0 <= row < batch:
        raise UserError(f"the trace has rows 0 to {batch - 1}, not {row}")
    if len(symbols) != steps:
        raise UserError(f"the trace has {steps} steps, but {symbols!r} is {len(symbols)} symbols")


def hidden(trace: Trace, row: int) -> Float[np.ndarray, "time hidden"]:
    """Return the hidden states of a row."""
    return array(trace.hidden[row])


def memory(trace: Trace, row: int) -> Float[np.ndarray, "steps out in"]:
    """Return the memories of a row as matrices; a memory of several parts has them stacked.

    Raises:
        UserError: if the backbone keeps no fast memory, or none was traced.
    """
    if trace.memory is None or not trace.memory_steps:
        raise UserError("the trace holds no fast memory to draw")
    kept = array(trace.memory[row])
    if kept.ndim < 3:
        raise UserError(f"a fast memory of shape {list(kept.shape[1:])} is no matrix to draw")
    return kept.reshape(len(kept), -1, kept.shape[-1])


def read_weights(trace: Trace, row: int, read: int) -> Float[np.ndarray, "time past"]:
    """Return how much one read of each step takes from what each step wrote.

    Raises:
        UserError: if the backbone does not attend to its past, or has no such read.
    """
    if trace.read_weights is None:
        raise UserError("the trace holds no attention to draw: this model does not attend")
    reads = trace.read_weights.shape[2]
    if not -reads <= read < reads:
        raise UserError(f"a step of this model has {reads} reads, not one of number {read}")
    return array(trace.read_weights[row, :, read])


def array(tensor: Tensor) -> Float[np.ndarray, ...]:
    """Convert a tensor to NumPy, in double precision.

    Raises:
        UserError: if it holds NaN or infinity, of which there is no picture.
    """
    values = tensor.detach().cpu().double().numpy()
    if not np.isfinite(values).all():
        raise UserError("the trace holds NaN or infinity: there is nothing to draw")
    return values
