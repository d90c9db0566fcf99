"""Fast weight memories for PyTorch: layers, recurrences, experiments, pictures.

Everything public is here by name and is imported when it is first used, so that `import fastweights`
costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastweights.version import VERSION

if TYPE_CHECKING:
    from fastweights import models, nn, ops, runs, state, tasks
    from fastweights.errors import UserError
    from fastweights.models import SequenceModel, build
    from fastweights.nn import FWMLSTM, FastWeightMemory, FastWeightRNN
    from fastweights.runs import load

__version__ = VERSION

__all__ = [
    "FWMLSTM",
    "FastWeightMemory",
    "FastWeightRNN",
    "SequenceModel",
    "UserError",
    "__version__",
    "build",
    "load",
    "models",
    "nn",
    "ops",
    "runs",
    "state",
    "tasks",
]

_HOMES = {
    "FWMLSTM": "fastweights.nn",
    "FastWeightMemory": "fastweights.nn",
    "FastWeightRNN": "fastweights.nn",
    "SequenceModel": "fastweights.models",
    "UserError": "fastweights.errors",
    "build": "fastweights.models",
    "load": "fastweights.runs",
}
_ROOMS = ("models", "nn", "ops", "runs", "state", "tasks")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"fastweights.{name}")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fastweights' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
