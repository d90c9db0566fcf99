"""A run's metrics as arrays: one series a key, wherever a row has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from fastweights.errors import UserError

Row = Mapping[str, Any]
Rows = Sequence[Row]
Series = tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]


def series(rows: Rows, key: str) -> Series:
    """Return the steps and values of the rows that have `key`; empty arrays if none has.

    Null stands for a number that was not finite: it becomes NaN, a gap in a line.

    Raises:
        UserError: if a row with the key has no step.

    Example:
        >>> series([{"step": 0}, {"step": 5, "loss": 2.0}, {"step": 9, "loss": None}], "loss")
        (array([5., 9.]), array([ 2., nan]))
    """
    found = [row for row in rows if key in row]
    if any("step" not in row for row in found):
        raise UserError(f"a row of metrics has {key} but no step")
    values = [np.nan if row[key] is None else row[key] for row in found]
    return (np.array([row["step"] for row in found], dtype=float), np.array(values, dtype=float))
