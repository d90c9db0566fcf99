"""Command lines made up by chance: every command and option of the real parser, with right and with odd values."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import small_runs
import tyro

from fastweights import models
from fastweights.bench import BENCHES
from fastweights.cli import app
from fastweights.cli.train import Train
from fastweights.experiments import registry

RUNS = {task: f"runs/{task}" for task in registry.EXPERIMENTS}
"""A small run of each task, below the folder that a command runs in."""

OFTEN = {"train": 6, "test": 8, "plot": 1, "generate": 6, "reproduce": 6, "data get": 3, "list": 1}
RARE = {"bench": 20, "warmup": 400, "gradcheck": 100}
"""Weights of the commands; one of so many draws of a long one is kept, for one takes up to a minute."""

WORDS = (
    *("", " ", ".", "..", "~", "~nouser/x", "a/b", "x", "-", "--", "-x", "--x", "=", "a=b", "auto"),
    *("ü\u202e", "\udcff", "🙂", "e\u0301", "٣", "\x1b[31m", "a\nb", "\t", "a" * 300, "a/" * 2500),
    *("[bold]x[/bold]", "{0}", "%s", "*", "$(x)", "'", '"', "\\", "/dev/null/x", "/proc/none/x"),
    *("None", "null", "true", "True", "no", "fast weights", "LSTM", "c9k8j3f1??c", *RUNS.values()),
)
NUMBERS = (
    *("0", "1", "2", "3", "7", "-1", "-0", "+3", "0.5", "1.5", "-2.5", "1e3", "1e-320", "1e309"),
    *("nan", "inf", "-inf", "NaN", "0x10", "1_000", "1,2", " 3 ", "٣", "1e", "", "9" * 5000),
    *(str(2**31), str(2**53), str(2**62), str(-(2**62)), str(2**63), str(10**30), "1e300"),
)
VALID = {
    "model": (*models.registry.names(), "LSTM"),
    "backend": ("auto", "reference", "chunked", "cpu"),
    "device": ("cpu", "cuda", "cuda:7", "meta", "cpu:0", "tpu"),
    "pairs": ("1", "2", "4", "8", "26"),
    "split": ("test", "valid", "train"),
    "steps": ("1", "2"),
    "updates": ("1", "2"),
    "epochs": ("1", "2"),
    "jobs": ("1", "1", "0"),
    "only": ("*", "*lstm*", "irnn*"),
    "data": ("ptb", "wikitext-2", "fresh", "fixed", "x.txt"),
    "tasks": ("1", "1 2", "20", "0", "21", "1,2"),
    "sequence": ("c9k8j3f1??c", "9", "0", "the cat sees a fish", "a1??a"),
    "url": ("file:///nowhere/x", "http://localhost/x", "ftp://x", "x:", "https://[::1"),
    "resume": ("", "auto", "yes", "auto auto"),
}
"""Values that mean something, by option; of others any small number, choice or word."""

PLAIN: dict[Any, tuple[str, ...]] = {
    int: ("1", "2", "3", "5"),
    float: ("0", "0.5", "1", "1e-3"),
    str: WORDS,
    Path: ("out", "a/b", *RUNS.values()),
}
"""Values by type."""

JSON = (
    "1",
    "0",
    "-1",
    "2",
    "0.5",
    "true",
    "null",
    "[1,2]",
    "[]",
    "{}",
    "x",
    "1e9",
    "NaN",
    "-Infinity",
    '"1"',
)

BACKBONE = sorted({name for model in models.registry.names() for name in models.options(model)})
"""Names of options for --set."""

POSITIONAL = {
    "folder": tuple(RUNS.values()),
    "folders": tuple(RUNS.values()),
    "questions": ("c9k8j3f1??c", "a1??a", "9", "Mary went home. Where is Mary?", "the cat sees"),
    "prompt": ("the cat", "nobody", "unheard of", ""),
    "study": (),
    "name": ("babi", "mnist", "ptb", "wikitext-2", *BENCHES),
}

Shape = tuple[Any, str, bool]
"""What an option takes: its type, its field's name, whether it stands without a name."""


def commands() -> dict[str, list[Shape]]:
    """Return every command with its options."""
    found = {name: _shapes(_type(entry.place)) for name, entry in app.COMMANDS.items()}
    for task, experiment in registry.EXPERIMENTS.items():
        found[f"train {task}"] = [*_shapes(Train[experiment.options]), *_shapes(experiment.options)]
    return found


def _type(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"fastweights.cli.{module}"), name)


def _shapes(command: Any) -> list[Shape]:
    """Flatten the fields of a dataclass, and of those that are its fields."""
    given = dict(zip(("T", "O"), get_args(command) * 2, strict=False))
    kind = get_origin(command) or command
    hints, found = get_type_hints(kind, include_extras=True), []
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        positional = tyro.conf.Positional in (get_origin(hint), hint) or "Positional" in str(
            field.type
        )
        while get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        hint = (
            given.get(getattr(hint, "__name__", ""), hint)
            if type(hint).__name__ == "TypeVar"
            else hint
        )
        if dataclasses.is_dataclass(hint):
            found += _shapes(hint)
        else:
            found.append((hint, field.name, positional))
    return found


COMMANDS = commands()


def line(chance: Random, settings: dict[str, list[str]]) -> tuple[list[str], str]:
    """Return the words of a command line, and what stands on its standard input.

    Args:
        chance: all of it follows from this.
        settings: the words that train a task in a moment, by task.
    """
    asked = chance.choice(
        ("", "c9k8j3f1??c\n", "the cat", "\n\n", "🙂", "Mary went home. Where is Mary?")
    )
    if chance.random() < 0.03:
        few = (
            [],
            [_odd(chance)],
            ["train"],
            ["data"],
            ["train", _odd(chance)],
            ["data", "x"],
            ["-V"],
        )
        return [*chance.choice(few), *chance.choice(([], ["--help"], ["-h"], ["--json"]))], asked
    name = _command(chance)
    shapes, words = COMMANDS[name], []
    if name.startswith("train") and chance.random() < 0.9:
        task = name.split()[1]
        words += [*settings[task], small_runs.LENGTH[task], "2"]
    for shape in shapes:
        if shape[2] and chance.random() < 0.95:
            words += [_value(chance, shape) for _ in range(chance.choice((1, 1, 1, 1, 0, 2)))]
    named = [shape for shape in shapes if not shape[2]]
    for shape in chance.choices(named, k=min(chance.choice((0, 1, 1, 1, 2, 2, 4)), 2 * len(named))):
        words += _option(chance, shape)
    words += chance.choice(([],) * 12 + (["--json"],) * 8 + (["--help"], ["-h"], [_odd(chance)]))
    if chance.random() < 0.1:
        chance.shuffle(words)
    return [*name.split(), *words], asked


def _command(chance: Random) -> str:
    while True:
        name = chance.choices(
            list(COMMANDS), [OFTEN.get(name.split()[0], OFTEN.get(name, 1)) for name in COMMANDS]
        )[0]
        if chance.random() < 1 / RARE.get(name, 1):
            return name


def _odd(chance: Random) -> str:
    return chance.choice(chance.choice((WORDS, NUMBERS)))


def _option(chance: Random, shape: Shape) -> list[str]:
    """Return an option as it may be typed: rightly mostly, else shortened, with underscores, without a value …"""
    kind, field, _ = shape
    name = f"--{field if chance.random() < 0.05 else field.replace('_', '-')}"
    if chance.random() < 0.05:
        name = chance.choice(
            (
                name[:-1],
                name[:4],
                name.upper(),
                name + "x",
                "-" + name,
                name[1:],
                f"--no-{name[2:]}",
            )
        )
    if bool in (kind, *get_args(kind)) and chance.random() < 0.85:
        return [name if chance.random() < 0.7 else f"--no-{name[2:]}"]
    several = field in ("set", "tasks", "curriculum", "data", "questions", "rename_tasks", "often")
    values = [
        _value(chance, shape)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 3) if several else (1,) * 19 + (0,)))
    ]
    if len(values) == 1 and chance.random() < 0.25:
        return [f"{name}={values[0]}"]
    return [name, *values]


def _value(chance: Random, shape: Shape) -> str:
    """Return a value: five of six mean something."""
    kind, field, positional = shape
    if chance.random() < 1 / 6:
        return _odd(chance)
    if field == "set":
        return _pair(chance)
    if field == "study":
        return chance.choice(list(registry.studies()))
    known = (POSITIONAL if positional else VALID).get(field, ())
    if known:
        return chance.choice(known)
    return chance.choice(_choices(kind) or NUMBERS[:4])


def _choices(kind: Any) -> tuple[str, ...]:
    """Return what a type takes, in words."""
    if get_origin(kind) is Literal:
        return tuple(str(each) for each in get_args(kind) if each)
    if get_origin(kind) in (Union, UnionType, tuple):
        parts = (part for part in get_args(kind) if part not in (NoneType, ...))
        return next((found for part in parts if (found := _choices(part))), ())
    return PLAIN.get(kind, ())


def _pair(chance: Random) -> str:
    """Return NAME=VALUE, of a real option of some model mostly."""
    if chance.random() < 0.1:
        return _odd(chance)
    return f"{chance.choice(BACKBONE)}={chance.choice(JSON)}"
