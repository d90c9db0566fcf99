"""Tasks: data sets, streams and worlds to act in, with their metrics, built by name."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

from fastweights.errors import check_choice
from fastweights.tasks import babi
from fastweights.tasks.catbabi import CatBAbI
from fastweights.tasks.catch import Catch
from fastweights.tasks.environment import Environment
from fastweights.tasks.glimpses import Glimpses
from fastweights.tasks.gymnasium_envs import register_environments
from fastweights.tasks.in_context_regression import InContextRegression
from fastweights.tasks.mad import MAD
from fastweights.tasks.metro_map import MetroMap
from fastweights.tasks.mqar import MQAR
from fastweights.tasks.retrieval import Retrieval
from fastweights.tasks.score import Score
from fastweights.tasks.selective_copying import SelectiveCopying
from fastweights.tasks.sequences import Sequences, SequenceTask
from fastweights.tasks.state_tracking import StateTracking
from fastweights.tasks.streams import Segment
from fastweights.tasks.text import Text

__all__ = [
    "MAD",
    "MQAR",
    "CatBAbI",
    "Catch",
    "Environment",
    "Glimpses",
    "InContextRegression",
    "MetroMap",
    "Retrieval",
    "Score",
    "Segment",
    "SelectiveCopying",
    "SequenceTask",
    "Sequences",
    "StateTracking",
    "Text",
    "babi",
    "build",
    "describe",
    "kind",
    "names",
    "register_environments",
]

_TASKS: dict[str, type] = {
    "retrieval": Retrieval,
    "catbabi": CatBAbI,
    "glimpses": Glimpses,
    "catch": Catch,
    "metro-map": MetroMap,
    "text": Text,
    "state-tracking": StateTracking,
    "mqar": MQAR,
    "mad": MAD,
    "selective-copying": SelectiveCopying,
    "in-context-regression": InContextRegression,
}

# gymnasium is an extra: without it the batched tasks are there all the same.
with contextlib.suppress(ImportError):
    register_environments()


def names() -> tuple[str, ...]:
    """List the tasks.

    Example:
        >>> names()  # doctest: +NORMALIZE_WHITESPACE
        ('retrieval', 'catbabi', 'glimpses', 'catch', 'metro-map', 'text', 'state-tracking', 'mqar', 'mad',
        'selective-copying', 'in-context-regression')
    """
    return tuple(_TASKS)


def describe() -> dict[str, str]:
    """Return a line on what each task is, by name."""
    return {name: (task.__doc__ or "").strip().splitlines()[0] for name, task in _TASKS.items()}


def kind(name: str) -> type:
    """Return the class of a task.

    Raises:
        UserError: for an unknown name.
    """
    check_choice("task", name, _TASKS)
    return _TASKS[name]


def build(name: str, **options: Any) -> Any:
    """Build a task by name.

    Args:
        name: one of `names()`.
        options: of the task's class.

    Returns:
        an object of that class.

    Raises:
        UserError: for an unknown name or option, or a value that the task refuses.

    Example:
        >>> build("retrieval", pairs=8).length
        19
    """
    task = kind(name)
    accepted = inspect.signature(task).parameters
    for option in options:
        check_choice(f"option of the task {name}", option, accepted)
    return task(**options)
