"""Ctrl-C and SIGTERM stop the engine after the step it is in, a second one at once; SIGUSR1 has it save and go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SAVE: int | None = getattr(signal, "SIGUSR1", None)
"""The signal by which schedulers announce that a process is to end soon; Windows has none."""


class Interrupt:
    """While entered, SIGINT, SIGTERM and, where there is one, SIGUSR1 are noted instead of ending the process.

    Signals belong to the main thread; in any other they are left alone.

    Args:
        stop: another reason to stop, asked along with the signals; None is no other.
    """

    def __init__(self, stop: Callable[[], bool] | None = None) -> None:
        self._stop = stop
        self._signalled = self._save = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
            if SAVE is not None:
                self._before[SAVE] = signal.signal(SAVE, self._note_save)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def requested(self) -> bool:
        """Return whether the run shall stop."""
        return self._signalled or (self._stop is not None and self._stop())

    def save_requested(self) -> bool:
        """Return whether a checkpoint was asked for since the last time."""
        asked, self._save = self._save, False
        return asked

    def _note_save(self, _number: int, _frame: FrameType | None) -> None:
        self._save = True

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
