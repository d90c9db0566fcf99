"""Ctrl-C ends a command in time: one that Python cannot interrupt, one that notes the signal, and no other."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from fastweights.io import stopping

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals of that kind")


@pytest.fixture(autouse=True)
def _interruptible():
    """A job in a shell's background is born with SIGINT ignored, and so are its tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


PROGRAM = """
import ctypes, os, signal, sys, threading, time
from fastweights.io import stopping
stopping.PATIENCE = 0.2
signal.signal(signal.SIGINT, signal.default_int_handler)
def noted():
    signal.signal(signal.SIGINT, lambda *_: None)
    while True: time.sleep(0.01)
def orderly():
    signal.signal(signal.SIGINT, lambda *_: None)
    with stopping.orderly():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.6)
        print("written", flush=True)
    time.sleep(100)
def mutex():
    libc = ctypes.CDLL(None)
    mutex = ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)  # as code that waits for another process: a signal does not wake it
with stopping.stoppable(lambda: print("said", flush=True)):
    threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    {body}()
"""


@pytest.mark.parametrize(
    ("body", "out"), [("mutex", "said\n"), ("noted", "said\n"), ("orderly", "written\nsaid\n")]
)
def test_a_block_that_does_not_end_is_ended(body, out):
    program = PROGRAM.replace("{body}", body)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode, done.stderr) == (out, stopping.INTERRUPTED, "")


def test_a_block_that_ends_goes_on():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), stopping.stoppable(lambda: None):
        signal.raise_signal(signal.SIGINT)
        for _ in range(100):
            threading.Event().wait(0.01)
    assert stopping.signalled() and signal.getsignal(signal.SIGINT) is before
    with stopping.stoppable(lambda: None):
        assert not stopping.signalled()
    assert signal.set_wakeup_fd(-1) == -1


def test_in_a_thread_nothing_is_watched():
    found = []

    def work():
        with stopping.stoppable(lambda: None):
            found.append(threading.active_count())

    before = threading.active_count()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before + 1]
