"""Options by tyro, with plain types and real defaults in the help; a slip becomes a `UserError` of one line."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, TypeVar, Union, get_args, get_origin

from fastweights.errors import MAX_SEED, UserError
from fastweights.io.plain import NO_PATH, is_path

if TYPE_CHECKING:
    from tyro.constructors import (
        ConstructorRegistry,
        PrimitiveConstructorSpec,
        PrimitiveTypeInfo,
        StructConstructorSpec,
        StructFieldSpec,
        StructTypeInfo,
    )

C = TypeVar("C")
HELP = ("-h", "--help")
TRUTHS = {"true": True, "false": False}
LONG_WORD = 40
"""Characters from which tyro may break a word of the command line, where it repeats it."""


def parse(
    name: str,
    command: Callable[..., C],
    options: list[str],
    defaults: Callable[[C], Mapping[str, object]] = lambda command: {},
) -> C:
    """Build a command from its options; help goes to stdout.

    Args:
        name: of the command.
        command: its dataclass.
        options: the words behind its name.
        defaults: returns what a command takes where nothing is given, by field, for the help to show.

    Raises:
        UserError: if an option is unknown, or its value of another type.
        SystemExit: after the help.
    """
    chosen: Mapping[str, object] = {}
    if any(word in HELP for word in options):
        given = [word for word in options if word not in HELP]
        with contextlib.suppress(UserError, OSError):
            chosen = defaults(_parse(name, command, given, {}))
    parsed = _parse(name, command, options, chosen)
    _check_values(parsed)
    return parsed


def _parse(
    name: str, command: Callable[..., C], options: list[str], defaults: Mapping[str, object]
) -> C:
    import tyro

    shown, complaint = _Captured(), io.StringIO()
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(complaint):
            return tyro.cli(
                command,
                prog=f"fastweights {name}",
                args=options,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
                registry=_registry(defaults),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            for line in _without_gaps(shown.getvalue().splitlines()):
                print(_within(line))
            raise
        message = _sentence(complaint.getvalue(), options)
        raise UserError(f"{message}; see fastweights {name} --help") from None


def _without_gaps(lines: Sequence[str]) -> Iterator[str]:
    """Leave out the empty line that tyro ends an option with where its help fills the last one."""
    for line, after in itertools.pairwise([*lines, ""]):
        ends = _plain(after).startswith(("│ -", "╰"))
        if not ends or _plain(line).strip("│| "):
            yield line


def _plain(text: str) -> str:
    """Return a text without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _within(line: str) -> str:
    """Wrap a line of help as the rest of it is: tyro leaves the first paragraph as long as it is."""
    columns = shutil.get_terminal_size().columns
    if len(line) <= columns or "\x1b" in line:
        return line
    return textwrap.fill(line, columns, break_on_hyphens=False)


class _Captured(io.StringIO):
    """What tyro prints, in colours only where stdout shows some: it knows nothing of `NO_COLOR`."""

    def __init__(self) -> None:
        super().__init__()
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def isatty(self) -> bool:
        return self._colours


def _registry(defaults: Mapping[str, object]) -> ConstructorRegistry:
    from tyro.constructors import ConstructorRegistry

    registry = ConstructorRegistry()
    registry.primitive_rule(_optional)
    registry.primitive_rule(_lists)
    registry.primitive_rule(_truths)
    registry.struct_rule(_Fields(defaults))
    return registry


def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[object] | None:
    """Return a type without its None, which stands for an option that is not given and is no word to give."""
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    kinds = get_args(info.type)
    if get_origin(info.type) not in (Union, UnionType) or len(kinds) != 2 or kinds[1] != NoneType:
        return None
    spec = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], info.markers))
    if not isinstance(spec, PrimitiveConstructorSpec):
        return None
    return dataclasses.replace(
        spec,
        is_instance=lambda value: value is None or spec.is_instance(value),
        str_from_instance=lambda value: [] if value is None else spec.str_from_instance(value),
    )


def _lists(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[tuple[object, ...]] | None:
    """Return how several words are given: with spaces between them, whole numbers with commas too."""
    from tyro.constructors import PrimitiveConstructorSpec

    kind, *more = get_args(info.type) or (None,)
    if get_origin(info.type) is not tuple or more != [...] or kind not in (int, str, Path):
        return None

    def read(words: list[str]) -> tuple[object, ...]:
        parts = (part for word in words for part in word.split(",") if part)
        return tuple(map(kind, parts if kind is int else words))

    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"{kind.__name__.upper()} ...",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [str(each) for each in value],
    )


def _truths(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[bool | None] | None:
    """Return how a choice that the model has a default for is given: true or false."""
    from tyro.constructors import PrimitiveConstructorSpec

    if set(get_args(info.type)) != {bool, NoneType}:
        return None

    def read(words: list[str]) -> bool:
        if words[0].lower() not in TRUTHS:
            raise ValueError(f"{words[0]!r} is neither true nor false")
        return TRUTHS[words[0].lower()]

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{true,false}",
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, bool),
        str_from_instance=lambda value: [] if value is None else [str(value).lower()],
    )


class _Fields:
    """The rule by which a dataclass becomes options, whose help ends with what is taken where they are not given."""

    def __init__(self, defaults: Mapping[str, object]) -> None:
        self.defaults = defaults
        self.inside = False

    def __call__(self, info: StructTypeInfo) -> StructConstructorSpec | None:
        from tyro.constructors import ConstructorRegistry, StructConstructorSpec

        if self.inside or not dataclasses.is_dataclass(get_origin(info.type) or info.type):
            return None
        self.inside = True  # the rule that tyro has is asked next
        try:
            spec = ConstructorRegistry.get_struct_spec(info)
        finally:
            self.inside = False
        if not isinstance(spec, StructConstructorSpec):
            return None
        fields = tuple(
            dataclasses.replace(field, type=self._hinted(field)) for field in spec.fields
        )
        return dataclasses.replace(spec, fields=fields)

    def _hinted(self, field: StructFieldSpec) -> object:
        import tyro

        kind, default = field.type, field.default
        value = self.defaults.get(field.name, default) if default is None else default
        hint = "" if value in (None, (), "") or isinstance(default, bool) else _hint(value)
        parts = get_args(kind) if get_origin(kind) is Annotated else ()
        for part in parts[1:]:
            if hasattr(part, "help_behavior_hint"):
                changed = dataclasses.replace(part, help_behavior_hint=hint)
                others = tuple(changed if each is part else each for each in parts)
                return Annotated[others]
        return Annotated[kind, tyro.conf.arg(help_behavior_hint=hint)]


def _hint(value: object) -> str:
    import tyro

    missing = value in (tyro.MISSING, tyro.MISSING_NONPROP)
    return "(required)" if missing else f"[default: {_shown(value)}]"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_values(command: object) -> None:
    """Refuse whole numbers that do not fit 64 bits and paths that can be none, whatever they are for."""
    for name, given in vars(command).items():
        if dataclasses.is_dataclass(given):
            _check_values(given)
        for value in given if isinstance(given, tuple) else (given,):
            if isinstance(value, Path) and not is_path(value):
                raise UserError(f"{name.replace('_', '-')} is {str(value)!r}: {NO_PATH}")
            if isinstance(value, int) and abs(value) >= MAX_SEED:
                bound = "below 2**62" if value > 0 else "above -2**62"
                raise UserError(f"{name.replace('_', '-')} must be {bound}: {value} was given")


def _sentence(boxed: str, options: Sequence[str]) -> str:
    """Return the first paragraph, and the nearest option if one is named, out of tyro's box of several."""
    plain = _plain(boxed)
    lines = [line.strip("│| ") for line in plain.splitlines() if line[:1] in "│|"]
    near = next((line.split()[0] for line in lines if line.startswith("--")), None)
    paragraph = itertools.takewhile(lambda line: line.strip("─-"), lines)
    message = (" ".join(paragraph) or plain).rstrip(".")
    for word in _long(options):
        message = re.sub(r"\s*".join(map(re.escape, word)), lambda _, word=word: word, message)
    return f"{message} (perhaps {near}?)" if near and "nrecognized" in message else message


def _long(options: Sequence[str]) -> Iterator[str]:
    return (part for word in options for part in word.split("=", 1) if len(part) >= LONG_WORD)
