"""Ctrl-C ends a command within two seconds, whatever it is in: also what Python cannot interrupt.

A signal's handler runs in the main thread between two operations of Python. One that compiles, or waits for another
process, comes to no such place for long, and training that has noted the signal may be in a long evaluation. So a
thread watches: where a command has not ended after a moment, it ends the process, as a kill does, which every
file survives.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

PATIENCE = 1.0
"""Seconds that a command has to end by itself."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

_signalled = threading.Event()
_holding: list[object] = []


def leave() -> NoReturn:
    """End the process, interrupted, at once: without what else an interpreter does at its end, which takes a second."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(INTERRUPTED)


def signalled() -> bool:
    """Return whether Ctrl-C was pressed while this command has run."""
    return _signalled.is_set()


@contextmanager
def orderly() -> Iterator[None]:
    """Let the block come to its end although Ctrl-C was pressed: it writes what is to be gone on from."""
    token = object()
    _holding.append(token)
    try:
        yield
    finally:
        _holding.remove(token)


@contextmanager
def stoppable(say: Callable[[], None]) -> Iterator[None]:
    """End the process a moment after Ctrl-C, and call `say` before, unless the block has ended by then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _signalled.clear()
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(receiver, ended, say), daemon=True)
    before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        ended.set()
        sender.close()
        watcher.join()
        receiver.close()


def _watch(receiver: socket.socket, ended: threading.Event, say: Callable[[], None]) -> None:
    while signal.SIGINT not in (numbers := receiver.recv(64)):
        if not numbers:
            return
    _signalled.set()
    until = time.monotonic() + PATIENCE
    while not ended.wait(0.05):
        if _holding:
            until = time.monotonic() + PATIENCE
        elif time.monotonic() > until:
            say()
            os._exit(INTERRUPTED)  # what is stuck may hold the streams: they are not flushed
