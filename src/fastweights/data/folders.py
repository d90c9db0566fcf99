"""Where data sets lie, and where what is made of them is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

VARIABLE = "FASTWEIGHTS_DATA"
"""Environment variable that names the folder of data sets."""


def data_root() -> Path:
    """Give the folder of data sets: FASTWEIGHTS_DATA where set, else `data` in the user's cache folder."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else _user_cache() / "data"


def cache_root() -> Path:
    """Give the folder of what can be made again: `made` in the user's cache folder; it may not exist yet."""
    return _user_cache() / "made"


def _user_cache() -> Path:
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "fastweights"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/fastweights").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "fastweights"
    return Path("~/.cache/fastweights").expanduser()
