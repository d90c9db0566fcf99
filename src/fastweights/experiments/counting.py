"""Numbers with what they count."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a number and what it counts, in the singular where it is one.

    Example:
        >>> counted(1, "step"), counted(5400, "step")
        ('1 step', '5,400 steps')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
