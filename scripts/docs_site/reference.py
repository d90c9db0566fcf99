"""The reference: a page for each public module, with every name of its `__all__`."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import fastweights

INTERNAL = ("fastweights.kernels.", "fastweights.cli")
HEAD = """# API reference

Every public name, by the module it is imported from. What stands first is imported from `fastweights` itself, too.

"""


def modules() -> dict[str, ModuleType]:
    """Return the public modules by name: those with an `__all__`, the package first, and those that one names in it."""
    found = {"fastweights": fastweights}
    for entry in pkgutil.walk_packages(fastweights.__path__, "fastweights."):
        if entry.ispkg and not entry.name.startswith(INTERNAL):
            module = import_module(entry.name)
            if hasattr(module, "__all__"):
                found[entry.name] = module
    inner = [getattr(module, name) for module in found.values() for name in module.__all__]
    return found | {each.__name__: each for each in inner if isinstance(each, ModuleType)}


def exports(module: ModuleType) -> list[str]:
    """Return the public names of a module: its `__all__`, or all that it defines."""
    own = [
        name
        for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    ]
    return getattr(module, "__all__", [name for name in own if not name.startswith("_")])


def homes() -> dict[str, tuple[str, Any]]:
    """Return where each public object is documented: its dotted name, with the module's name and the object."""
    found: dict[str, tuple[str, Any]] = {}
    seen: set[int] = set()
    known = modules()
    for module in [*list(known)[1:], "fastweights"]:
        for name in exports(known[module]):
            value = getattr(known[module], name)
            if not isinstance(value, ModuleType) and id(value) not in seen:
                found[f"{module}.{name}"] = module, value
                if callable(value):
                    seen.add(id(value))
    return found


def documented_names() -> Iterator[str]:
    """Yield what the built reference must have."""
    yield from homes()


def pages() -> dict[str, str]:
    """Return the pages of the reference by address."""
    known, placed = modules(), homes()
    found = {"reference/index": HEAD + _contents(known)}
    for module, value in known.items():
        own = {
            name.rpartition(".")[2]: each for name, (home, each) in placed.items() if home == module
        }
        others = [name for name in exports(value) if name not in own]
        found[f"reference/{module}"] = _page(module, value, own, others)
    return found


def _contents(known: dict[str, ModuleType]) -> str:
    rows = [f"| [{name}]({name}.md) | {_first_line(value)} |" for name, value in known.items()]
    table = ["| module | what it has |", "|---|---|", *rows]
    tree = ["```{toctree}", ":hidden:", *known, "```"]
    return "\n".join([*table, "", *tree, ""])


def _first_line(value: object) -> str:
    return (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _page(module: str, value: ModuleType, own: dict[str, Any], others: list[str]) -> str:
    lines = [f"# {module}", "", _first_line(value), ""]
    if others:
        lines += [_others(value, others), ""]
    lines += ["```{eval-rst}", f".. currentmodule:: {module}", ""]
    for name in sorted(own, key=lambda each: (each.startswith("_"), each.lower())):
        lines += [*_directive(name, own[name]), ""]
    return "\n".join([*lines, "```", ""])


def _others(value: ModuleType, names: list[str]) -> str:
    """Return a line on the names that are documented elsewhere."""
    parts = []
    for name in names:
        each = getattr(value, name)
        if isinstance(each, ModuleType):
            parts.append(f"[`{name}`]({each.__name__}.md)")
        else:
            parts.append(f"`{name}`")
    return "Besides: " + ", ".join(parts) + "."


def _directive(name: str, value: object) -> list[str]:
    if inspect.isclass(value):
        fields = hasattr(value, "_fields")
        return [f".. autoclass:: {name}", *([] if fields else ["   :members:"])]
    if inspect.isroutine(value):
        return [f".. autofunction:: {name}"]
    return [f".. autodata:: {name}", "   :no-value:"]
