"""A run's options in a file: read where `--config` names one, and printed as one."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastweights.errors import UserError
from fastweights.io.atomic import oserror_as_user_error
from fastweights.io.plain import read_plain

NAME = "--config"
LARGEST = 1 << 20
"""Bytes of a file of options, at most."""


def with_config(words: Sequence[str], task: str, options: type[Any]) -> list[str]:
    """Return words with those of the file that `--config` names put first, so that what stands on the line wins.

    Args:
        words: behind the task.
        task: which is trained; a file that names another is refused.
        options: the dataclass of its options.

    Raises:
        UserError: if the file cannot be read, or has what is no option.
    """
    given, files = [], list[str]()
    rest = iter(words)
    for word in rest:
        name, sign, value = word.partition("=")
        if name == NAME:
            files.append(value if sign else next(rest, ""))
        else:
            given.append(word)
    if not files:
        return given
    if len(files) > 1 or not files[0]:
        raise UserError("--config takes one file")
    path = Path(files[0])
    entries = _read(path)
    named = entries.pop("task", task)
    if named != task:
        raise UserError(f"{path} is of task {named!r}, not of {task!r}")
    fields = {field.name: field for field in dataclasses.fields(options)}
    found: list[str] = []
    for name, value in entries.items():
        field = fields.get(name.replace("-", "_"))
        if field is None:
            raise UserError(f"{path}: {task} has no option {name!r}")
        found += _words(path, field, value)
    return [*found, *given]


def _read(path: Path) -> dict[str, Any]:
    with oserror_as_user_error("read", path):
        content = read_plain(path, LARGEST, links=True)
    try:
        text = content.decode()
        entries = _yaml(text) if path.suffix in (".yaml", ".yml") else tomllib.loads(text)
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(entries, dict) or not all(isinstance(name, str) for name in entries):
        raise UserError(f"{path} is no table of options")
    return dict(entries)


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise UserError("YAML needs a library: pip install pyyaml, or write TOML") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _words(path: Path, field: dataclasses.Field[Any], value: object) -> list[str]:
    """Return an entry as the words of a command line."""
    name = f"--{field.name.replace('_', '-')}"
    if isinstance(field.default, bool):  # a flag, which stands for the other of the two
        if not isinstance(value, bool):
            raise UserError(f"{path}: {field.name} is true or false, not {value!r}")
        flag = f"--no-{name[2:]}" if field.default else name
        return [] if value == field.default else [flag]
    parts = value if isinstance(value, list) else [value]
    if isinstance(value, dict) or value is None or any(isinstance(p, dict | list) for p in parts):
        raise UserError(f"{path}: {field.name} is a value or a list of them, not {value!r}")
    return [name, *(str(part).lower() if isinstance(part, bool) else str(part) for part in parts)]


def toml(task: str, options: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a file that holds these options; those that are None, or empty, are not given.

    Example:
        >>> [*toml("retrieval", {"pairs": 4, "curriculum": (1, 2), "hidden": None, "model": "lstm"})]
        ['task = "retrieval"', 'pairs = 4', 'curriculum = [1, 2]', 'model = "lstm"']
    """
    yield f"task = {json.dumps(task)}"
    for name, value in options.items():
        if value is None or value == ():
            continue
        if isinstance(value, list | tuple):
            yield f"{name} = [{', '.join(map(_value, value))}]"
        else:
            yield f"{name} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
