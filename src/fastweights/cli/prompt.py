"""A prompt: questions typed on a terminal, each answered before the next."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fastweights.cli.console import say
from fastweights.cli.encoding import as_typed
from fastweights.errors import UserError
from fastweights.experiments.experiment import Questions
from fastweights.io.cache import user_cache

PROMPT = "> "
KEPT = 500
"""Lines of a task's history, over all sessions."""


def on_terminal() -> bool:
    """Return whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def converse(task: str, asked: Questions, reply: Callable[[str], None]) -> None:
    """Ask for questions until Ctrl-D or `quit`, and have each answered; one that cannot be is one line, and goes on.

    The arrow keys bring back what was typed before, also in earlier sessions.

    Args:
        task: whose history it is.
        asked: what the questions are.
        reply: prints the answer to one; its `UserError` is shown.
    """
    say(f"{asked.kind}, one a line, as {asked.example}")
    say("help says more; Ctrl-D ends")
    with _history(task):
        while (line := _typed()) is not None:
            question = as_typed(line).strip()
            if question in ("quit", "exit"):
                return
            if question == "help":
                _help(asked)
            elif question:
                try:
                    reply(question)
                except UserError as error:
                    say(f"fastweights: {' '.join(str(error).split())}")


def _help(asked: Questions) -> None:
    say(f"Type one of the {asked.kind}, such as: {asked.example}")
    say("The arrow keys bring back earlier ones. quit, exit or Ctrl-D ends.")


def _typed() -> str | None:
    """Return a line, or None at the end; the prompt is no part of what stdout gets elsewhere than on a terminal."""
    try:
        if sys.stdout.isatty():
            return input(PROMPT)
        print(PROMPT, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline() or None
    except EOFError:
        print()
        return None
    except UnicodeDecodeError:
        raise UserError("what was typed is not UTF-8") from None


@contextmanager
def _history(task: str) -> Iterator[None]:
    """Let lines be edited and brought back, where Python has what that takes; keep them in the cache folder."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.clear_history()
    readline.set_history_length(KEPT)
    with suppress(OSError, UserError):
        readline.read_history_file(user_cache() / "history" / task)
    try:
        yield
    finally:
        with suppress(OSError, UserError):
            path = user_cache() / "history" / task
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
