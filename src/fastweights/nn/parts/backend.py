"""The choice of a backend by a layer: the check of its name, and a line on which one runs."""

from __future__ import annotations

from collections.abc import Callable

from fastweights import ops
from fastweights.errors import UserError, check_choice


def check_backend(op: str, name: str, *further: str) -> None:
    """Raise `UserError` unless it is the name of a backend of the op, or one of `further`."""
    check_choice("backend", name, (*further, *ops.backend.names(op)))


def describe_backend(requested: str, in_use: Callable[[], str]) -> str:
    """Return which backend was requested and which runs, for the layer's `repr`.

    Example:
        >>> describe_backend("auto", lambda: "cpu")
        'backend=auto (runs: cpu)'
    """
    try:
        runs = in_use()
    except UserError:
        runs = "none, it cannot run here"
    return f"backend={requested} (runs: {runs})"
