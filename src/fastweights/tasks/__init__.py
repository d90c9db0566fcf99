"""Tasks: data sets and streams with their metrics, built by name."""

from __future__ import annotations

from typing import Any

from fastweights.errors import unknown
from fastweights.tasks.retrieval import Retrieval

_TASKS = {"retrieval": Retrieval}


def names() -> tuple[str, ...]:
    """List the tasks."""
    return tuple(_TASKS)


def describe() -> dict[str, str]:
    """Give each task's name and a line on what it is."""
    return {name: (task.__doc__ or "").strip().splitlines()[0] for name, task in _TASKS.items()}


def build(name: str, **options: Any) -> Retrieval:
    """Build a task by name with its options.

    Raises:
        UserError: for an unknown name.
    """
    if name not in _TASKS:
        raise unknown("task", name, _TASKS)
    return _TASKS[name](**options)
