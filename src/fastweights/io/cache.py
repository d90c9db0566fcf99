"""Where data sets lie, and where what can be made again is kept: one rule for all of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "FASTWEIGHTS_DATA"
"""Environment variable that names the folder of data sets."""


def user_cache() -> Path:
    """Return the library's folder in the user's cache folder: XDG_CACHE_HOME where set, else the platform's.

    It may not exist yet.
    """
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "fastweights"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/fastweights").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "fastweights"
    return Path("~/.cache/fastweights").expanduser()


def data_root() -> Path:
    """Return the folder of data sets: FASTWEIGHTS_DATA where set, else `data` in the user's cache folder."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else user_cache() / "data"


def made_root() -> Path:
    """Return the folder of what is made of data sets, and can be made again: `made` in the user's cache folder."""
    return user_cache() / "made"
