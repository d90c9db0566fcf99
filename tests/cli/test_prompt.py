"""The prompt of `fastweights test RUN` on a terminal: answers, help, slips, the end, and what was typed before."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

WAIT = 60.0
UP, END = "\x1b[A", "\x04"


class Session:
    """A command on a terminal of 80 columns of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.seen = ""
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "TERM": "dumb", "COLUMNS": "80"}
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            # It is ignored where the tests run in the background.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            command = [sys.executable, "-m", "fastweights", *words]
            os.execve(sys.executable, command, environment)

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def read_until(self, text: str) -> str:
        """Return what was written until a text came, which must come."""
        until = time.monotonic() + WAIT
        while text not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0, until - time.monotonic()))
            part = b""
            if ready:
                try:
                    part = os.read(self.terminal, 1 << 16)
                except OSError:  # the terminal's end
                    part = b""
            assert part, f"{text!r} did not come; there was {self.seen!r}"
            self.seen += part.decode()
        before, _, self.seen = self.seen.partition(text)
        return before

    def end(self) -> int:
        """Return the exit code."""
        while select.select([self.terminal], [], [], 5)[0]:
            try:
                if not os.read(self.terminal, 1 << 16):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.process, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.slow
def test_questions_on_a_terminal(tmp_path: Path) -> None:
    session = Session(tmp_path, "test", "retrieval")
    opening = session.read_until("> ")
    assert "c9k8j3f1??c" in opening and "Ctrl-D" in opening
    session.type("a3k7q1x9??q\n")
    session.read_until("→ 1 ")
    session.read_until("> ")
    session.type("help\n")
    session.read_until("arrow keys")
    session.read_until("> ")
    session.type("what?!\n")
    session.read_until("accepted: a-z, 0-9 and ?")
    session.read_until("> ")
    session.type("\n")
    session.read_until("> ")
    session.type(END)
    assert session.end() == 0
    # Another session has what was typed in this one.
    session = Session(tmp_path, "test", "retrieval")
    session.read_until("> ")
    session.type(UP * 3 + "\n")
    session.read_until("→ 1 ")
    session.read_until("> ")
    session.type("quit\n")
    assert session.end() == 0


@pytest.mark.slow
def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    session = Session(tmp_path, "test", "retrieval", "--json")
    session.read_until("> ")
    session.type("a3k7q1x9??q\n")
    session.read_until('"answer": "1"')
    session.read_until("> ")
    os.kill(session.process, signal.SIGINT)
    session.read_until("interrupted")
    assert session.end() == 130
