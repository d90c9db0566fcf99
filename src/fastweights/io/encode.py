"""Values as JSON, which has no word for NaN, tuples and paths."""

from __future__ import annotations

import json
import math
from pathlib import Path


def plain(value: object) -> object:
    """Return a value as plain JSON: tuples become lists, paths strings, and NaN or infinity null.

    Example:
        >>> plain({"loss": float("nan"), "sizes": (1, 2)})
        {'loss': None, 'sizes': [1, 2]}
    """
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """Encode a value as one JSON text with a line end; see `plain`."""
    encodable = plain(value)
    text = json.dumps(encodable, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        return (text + "\n").encode()
    except UnicodeEncodeError:  # a path's bytes may be no UTF-8: they stand as escapes
        return (json.dumps(encodable, indent=indent, allow_nan=False) + "\n").encode()
