"""Commands on a pseudo-terminal of a given width, or in a pipe."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fastweights.cli import main


class Ran(NamedTuple):
    code: int
    raw: str

    @property
    def text(self) -> str:
        """What was written, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw)


def runner(
    columns: int | None, monkeypatch: pytest.MonkeyPatch, main: Callable[..., object] = main
) -> Callable[..., Ran]:
    """Return what runs a command with stdout and stderr on a terminal of so many columns (None: in a pipe)."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", str(columns))

    def run(*words: str) -> Ran:
        ours, theirs = os.pipe() if columns is None else os.openpty()
        read: list[bytes] = []
        reader = threading.Thread(target=_read, args=(ours, read))
        reader.start()
        with monkeypatch.context() as patch, Path(f"/dev/fd/{theirs}").open("w") as stream:
            os.close(theirs)
            patch.setattr("sys.stdout", stream)
            patch.setattr("sys.stderr", stream)
            try:
                code = main(words)
            except SystemExit as stop:
                code = stop.code or 0
        reader.join()
        os.close(ours)
        assert isinstance(code, int)
        return Ran(code, b"".join(read).decode().replace("\r\n", "\n"))

    return run


def _read(descriptor: int, into: list[bytes]) -> None:
    try:
        while part := os.read(descriptor, 1 << 16):
            into.append(part)
    except OSError:  # a terminal's end
        return
