"""Errors that a user can cause and mend, one line at the command line and exit code 2; and those of backends."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable


class UserError(ValueError):
    """Something given to the library or the command line cannot be used; the message says what would be.

    A subclass of `ValueError`, so library users can catch it as the built-in they expect.
    """


class Unavailable(RuntimeError):
    """A backend found, when it ran, that it cannot run on this machine; the message says why."""


class Note(UserWarning):
    """Something a user should know that is no error; the command line prints it as one line."""


MAX_SEED = 2**62
"""Whole numbers that are given are below this, seeds too: what is added to one still fits 64 bits."""


def check_count(name: str, count: int, most: int) -> None:
    """Raise `UserError` unless there is at least one of something, and no more than fit.

    Example:
        >>> check_count("samples", 5, most=10)
    """
    if not 1 <= count <= most:
        raise UserError(f"{name} must be 1 to {most:,}, not {count}")


def check_at_least(least: int, **counts: int | None) -> None:
    """Raise `UserError` unless each of some counts, by name, is at least `least`; None passes.

    Example:
        >>> check_at_least(1, batch=5, steps=None)
    """
    for name, count in counts.items():
        if count is not None and count < least:
            raise UserError(f"{name} must be at least {least}, not {count}")


def check_seed(seed: int) -> None:
    """Raise `UserError` unless a number is a seed.

    Example:
        >>> check_seed(0)
    """
    if not 0 <= seed < MAX_SEED:
        bound = "must not be negative" if seed < 0 else "must be below 2**62"
        raise UserError(f"seed {bound}: {seed} was given")


def check_choice(kind: str, given: object, accepted: Collection[str]) -> None:
    """Raise `UserError`, as `unknown` builds it, unless a name is one of those accepted.

    Example:
        >>> check_choice("model", "lstm", ["lstm", "irnn"])
    """
    if not isinstance(given, str) or given not in accepted:
        raise unknown(kind, str(given), accepted)


def unknown(kind: str, given: str, accepted: Iterable[str]) -> UserError:
    """Build the error for an unknown name: what was given, what is accepted, the nearest right spelling.

    Example:
        >>> str(unknown("model", "lstmm", ["lstm", "irnn"]))
        "unknown model 'lstmm'; did you mean 'lstm'? Accepted: irnn, lstm"
    """
    names = sorted(accepted)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean {near[0]!r}? Accepted" if near else "accepted"
    return UserError(f"unknown {kind} {given!r}; {hint}: {', '.join(names)}")
