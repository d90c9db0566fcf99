"""What was read from JSON, held against the types that are declared for it: a record may have been changed by hand."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from fastweights.errors import MAX_SEED, UserError

SHOWN = 40
"""Characters of a value that a message repeats."""


class Least(NamedTuple):
    """The least that a number may be, as part of its type: `Annotated[int, Least(1)]`."""

    bound: float


Count = Annotated[int, Least(0)]
Size = Annotated[int, Least(1)]


def check(
    place: object, record: Mapping[str, object], types: Callable[..., object], advice: str = ""
) -> None:
    """Raise `UserError` unless each value of a record is of the type declared under its name; other names pass.

    Args:
        place: where it was read, for the message.
        record: by name.
        types: a TypedDict, a dataclass, or a function or class that takes such arguments.
        advice: what to do, for the message.

    Example:
        >>> def example(steps: int) -> None: ...
        >>> check("result.json", {"steps": [], "notes": 1}, example)
        Traceback (most recent call last):
        fastweights.errors.UserError: result.json was changed: its steps is [], not a whole number
    """
    kinds = _declared(types)
    for name, value in record.items():
        if name in kinds and not _fits(value, kinds[name]):
            text = repr(value)
            shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
            wrong = f"its {name} is {shown}, not {_words(kinds[name])}"
            raise UserError(f"{place} was changed: {wrong}{advice and f'; {advice}'}")


@functools.cache
def _declared(owner: Callable[..., object]) -> dict[str, object]:
    if hasattr(owner, "__dataclass_fields__") or hasattr(owner, "__total__"):
        return get_type_hints(owner, include_extras=True)
    function = owner.__init__ if inspect.isclass(owner) else owner
    hints = get_type_hints(function, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}


def _fits(value: object, kind: object) -> bool:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = [each.bound for each in parts[1:] if isinstance(each, Least)]
        if not _fits(value, parts[0]):
            return False
        return all(isinstance(value, int | float) and value >= bound for bound in bounds)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in parts)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in parts)
    origin = origin or kind
    if origin is Any or not isinstance(origin, type):
        return True
    if origin in (bool, str, NoneType):
        return isinstance(value, origin)
    if origin is int:
        return _is_number(value) and isinstance(value, int)
    if origin is float:
        return _is_number(value)
    if issubclass(origin, Path):
        return isinstance(value, str)
    if issubclass(origin, Mapping):
        if hasattr(origin, "__total__"):
            hints = _declared(origin)
            return isinstance(value, dict) and all(
                name not in hints or _fits(each, hints[name]) for name, each in value.items()
            )
        return isinstance(value, dict) and all(_fits(each, parts[1]) for each in value.values())
    if issubclass(origin, Sequence):
        return isinstance(value, list) and all(_fits(each, parts[0]) for each in value)
    return True


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < MAX_SEED if isinstance(value, int) else math.isfinite(value)


def _words(kind: object) -> str:
    """Return a type in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = [f" of {each.bound:g} or more" for each in parts[1:] if isinstance(each, Least)]
        return _words(parts[0]) + "".join(bounds)
    if origin in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    origin = origin or kind
    simple: dict[object, str] = {
        bool: "true or false",
        str: "a text",
        NoneType: "null",
        int: "a whole number",
    }
    simple |= {float: "a number", Path: "a path"}
    if origin in simple:
        return simple[origin]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return "a list" if not parts else f"a list, of {_words(parts[0])} each"
    return "an object"
