"""Ways to damage a file or a folder of a run, at a random place."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534
"""User whom no permission is given."""

KINDS = {
    "bit flip": 4,
    "truncation": 4,
    "deletion": 2,
    "doubled line": 3,
    "edited digit": 5,
    "swapped files": 2,
    "folder": 1,
    "pipe": 1,
    "link": 1,
    "empty": 2,
    "huge": 1,
    "permission": 2,
}
"""What is done, and how often beside the others."""

RECORDS = 0.8
"""Share of damages to what is no picture."""


def damage(folder: Path, chance: random.Random) -> str:
    """Damage something in a folder; return what was done to what."""
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if kind in ("deletion", "link", "permission", "pipe") and chance.random() < 0.3:
        paths = sorted(path for path in folder.rglob("*") if path.is_dir())
    elif chance.random() < RECORDS:
        paths = [path for path in paths if path.parent.name != "figures"]
    if kind in ("doubled line", "edited digit"):
        paths = [path for path in paths if _is_text(path)]
    path = chance.choice(paths)
    told = f"{kind}, {path.relative_to(folder)}"
    if kind in ("bit flip", "truncation", "doubled line", "edited digit"):
        before = path.read_bytes()
        path.write_bytes(_changed(kind, before, chance))
    elif kind == "swapped files":
        other = chance.choice([each for each in paths if each != path])
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)
        told += f" and {other.relative_to(folder)}"
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "huge":
        os.truncate(path, 1 << 40)
    elif kind == "permission":
        path.chmod(0)
    else:
        moved = folder.with_name("moved")
        path.rename(moved)
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to(moved.absolute())
    return told


def _is_text(path: Path) -> bool:
    return path.suffix in (".json", ".jsonl") or path.name in ("SHA256SUMS", ".newest")


def _changed(kind: str, before: bytes, chance: random.Random) -> bytes:
    """Return the content of a file with a bit, a line, a digit or its end changed."""
    if not before:
        return b"0"
    place = chance.randrange(len(before))
    if kind == "truncation":
        return before[:place]
    if kind == "bit flip":
        return (
            before[:place]
            + bytes([before[place] ^ (1 << chance.randrange(8))])
            + before[place + 1 :]
        )
    if kind == "doubled line":
        lines = before.splitlines(keepends=True)
        chosen = chance.randrange(len(lines))
        return b"".join([*lines[: chosen + 1], *lines[chosen:]])
    digits = [spot for spot, byte in enumerate(before) if chr(byte).isdecimal()]
    if not digits:
        return before
    spot = chance.choice(digits)
    digit = chance.choice([each for each in b"0123456789" if each != before[spot]])
    return before[:spot] + bytes([digit]) + before[spot + 1 :]


@contextmanager
def as_anybody(needed: bool, *own: Path) -> Iterator[None]:
    """Work as a user without rights, whom some paths belong to, if that is needed to be refused anything."""
    if not needed or os.geteuid() != 0:
        yield
        return
    for path in [below for each in own for below in (each, *each.rglob("*"))]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
