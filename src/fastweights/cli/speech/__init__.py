"""What a person reads of each task: results of training, answers, tests; one module a task."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType


def of(folder: Path) -> ModuleType:
    """Load the module of the task that a run was trained on."""
    from fastweights.experiments.loaded_run import task_name

    return of_task(task_name(folder))


def of_task(name: str) -> ModuleType:
    """Load the module of a task."""
    return importlib.import_module(f"fastweights.cli.speech.{name.replace('-', '_')}")
