"""Where data sets lie, and where what can be made again is kept: one rule for all of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastweights.errors import UserError
from fastweights.io.plain import NO_PATH, is_path

VARIABLE = "FASTWEIGHTS_DATA"
"""Environment variable that names the folder of data sets."""


def expanded(path: str | os.PathLike[str], advice: str = "name it in full") -> Path:
    """Return a path with the home folder in place of a leading `~` or `~user`.

    Args:
        path: as a user gives it.
        advice: what to do where there is no such home folder.

    Raises:
        UserError: if the user has none, there is no such user, or nothing can have that name.

    Example:
        >>> expanded("stories/~1.txt") == Path("stories/~1.txt")
        True
    """
    if not is_path(path):
        raise UserError(f"{os.fspath(path)!r} is no folder or file: {NO_PATH}")
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):  # the latter for a name that no user can have
        raise UserError(f"no home folder is known for {os.fspath(path)!r}: {advice}") from None


def user_cache() -> Path:
    """Return the library's folder in the user's cache folder: XDG_CACHE_HOME where set, else the platform's.

    It may not exist yet.

    Raises:
        UserError: if there is none, since the user has no home folder.
    """
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "fastweights"
    usual = "~/.cache"
    if sys.platform == "darwin":
        usual = "~/Library/Caches"
    if sys.platform == "win32":
        usual = os.environ.get("LOCALAPPDATA", "~")
    return (
        expanded(usual, f"set HOME, XDG_CACHE_HOME or, for data sets, {VARIABLE}") / "fastweights"
    )


def data_root() -> Path:
    """Return the folder of data sets: FASTWEIGHTS_DATA where set, else `data` in the user's cache folder.

    Raises:
        UserError: if there is no home folder to look for it in.
    """
    named = os.environ.get(VARIABLE)
    return expanded(named) if named else user_cache() / "data"


def made_root() -> Path:
    """Return the folder of what is made of data sets, and can be made again: `made` in the user's cache folder.

    Raises:
        UserError: if there is no home folder to look for it in.
    """
    return user_cache() / "made"
