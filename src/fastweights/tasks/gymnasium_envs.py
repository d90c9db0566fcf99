"""The tasks' gymnasium environments, registered once gymnasium is there, without importing it for that.

Since version 1.0 gymnasium looks for no plugins: a package registers its environments when it is imported. That would
load gymnasium into every program that uses any task. So it is done at once if gymnasium is loaded already, and else
right after it has been.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ENVIRONMENTS = {
    "fastweights/Catch-v0": "fastweights.tasks.catch_env:CatchEnv",
    "fastweights/MetroMap-v0": "fastweights.tasks.metro_env:MetroMapEnv",
}
"""Each environment's id, and the class that gymnasium loads when it is made."""


def register_environments() -> None:
    """Register the environments with gymnasium, which is imported for that; those registered already stay.

    Raises:
        ImportError: if gymnasium is not installed.

    Example:
        >>> register_environments()
        >>> import gymnasium
        >>> gymnasium.spec("fastweights/Catch-v0").entry_point
        'fastweights.tasks.catch_env:CatchEnv'
    """
    from gymnasium.envs import registration

    for name, entry_point in ENVIRONMENTS.items():
        if name not in registration.registry:
            registration.register(name, entry_point=entry_point)


def register_when_imported() -> None:
    """Register the environments now if gymnasium is loaded, else when it is."""
    if sys.modules.get("gymnasium"):
        register_environments()
    else:
        sys.meta_path.insert(0, _Awaiting())


class _Awaiting(MetaPathFinder):
    """Finds gymnasium where the other finders do, and has the environments registered once it is loaded."""

    # What the import system calls a path may be an object of its own (of a namespace package, say), no sequence.
    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _ThenRegister(spec.loader, self)
        return spec


class _ThenRegister(Loader):
    """Lets a loader do its work, then registers the environments; nothing of it is left in the module."""

    def __init__(self, loader: Loader, awaiting: _Awaiting) -> None:
        self._loader, self._awaiting = loader, awaiting

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        sys.meta_path.remove(self._awaiting)
        register_environments()
