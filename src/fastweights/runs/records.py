"""Records that carry a check of themselves, so that a digit changed by hand or by a disk is noticed when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from fastweights.errors import UserError
from fastweights.io.encode import plain

CHECK = "check"
"""The key of the check: the start of the SHA-256 of the other keys as JSON, sorted."""


class Changed(Exception):
    """A record is not as it was written: it does not match its check, or lacks one; the message says which."""


class Recorded(dict[str, Any]):
    """What a file says by name: asked for what it lacks, it raises `UserError`, which names the file."""

    def __init__(self, record: Mapping[str, Any], place: Path) -> None:
        inside = {
            name: Recorded(value, place) if isinstance(value, dict) else value
            for name, value in record.items()
        }
        super().__init__(inside)
        self.place = place

    def __missing__(self, name: str) -> NoReturn:
        raise UserError(f"{self.place} has no {name}: it was changed")


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its check, as the last key.

    Args:
        record: plain JSON values; a check that it has is replaced.

    Example:
        >>> sealed({"loss": 0.5})
        {'loss': 0.5, 'check': '96cee10d92496ca0'}
    """
    told = {name: value for name, value in record.items() if name != CHECK}
    return {**told, CHECK: _check(told)}


def unsealed(record: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    """Return what a record that was read says, without its check.

    Args:
        record: as JSON was parsed.
        required: whether one without a check was changed too; else it is of a version that wrote none.

    Raises:
        Changed: if it is not as it was written.

    Example:
        >>> unsealed({"loss": 0.5, "check": "96cee10d92496ca0"})
        {'loss': 0.5}
    """
    told = {name: value for name, value in record.items() if name != CHECK}
    if CHECK not in record:
        if required:
            raise Changed("it lacks its check")
    elif record[CHECK] != _check(told):
        raise Changed("it does not match its check")
    return told


def parse(content: bytes) -> dict[str, Any] | None:
    """Parse a JSON object; None where the bytes are none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _check(told: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(plain(told), sort_keys=True)
    except RecursionError as error:
        raise Changed("it is nested too deep") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]
