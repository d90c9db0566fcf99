"""Long work inside a library call: whoever calls says how it is shown; a program that says nothing sees nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Bar: TypeAlias = Callable[[str, str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows a piece of work: of its title, a unit and how many of them there are; what it yields is called with how many
are done."""


@contextmanager
def _nothing(title: str, unit: str, count: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


_bar: ContextVar[Bar] = ContextVar("bar", default=_nothing)


@contextmanager
def shown_by(bar: Bar) -> Iterator[None]:
    """Show work with a bar while the context lasts.

    Args:
        bar: for example `experiments.terminal.progress_bar`.
    """
    token = _bar.set(bar)
    try:
        yield
    finally:
        _bar.reset(token)


def shown(title: str, unit: str, count: int) -> AbstractContextManager[Callable[[int], None]]:
    """Return what shows a piece of work, if anything does.

    Example:
        >>> with shown("bAbI", "stories", 2) as on_progress:
        ...     on_progress(1)
    """
    return _bar.get()(title, unit, count)
