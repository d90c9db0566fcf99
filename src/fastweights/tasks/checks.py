"""Checks of the numbers, options, tokens and actions that tasks are given."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real

from jaxtyping import Int
from torch import Tensor

from fastweights.errors import UserError, check_choice


def as_int(given: object) -> int | None:
    """Return a whole number as an `int`, NumPy's too; None for all else, truth values among it.

    Example:
        >>> as_int(7), as_int(7.0), as_int(True)
        (7, None, None)
    """
    if isinstance(given, bool):
        return None
    try:
        return operator.index(given)  # pyright: ignore[reportArgumentType]  (what has no index is None)
    except TypeError:
        return None


def describe_value(given: object) -> str:
    """Format what was given on one line, for an error message.

    Example:
        >>> describe_value("two\\nlines")
        "'two\\\\nlines'"
    """
    return " ".join(repr(given).split())


def check_int(name: str, given: object, least: int, most: int | None = None) -> None:
    """Check that this is a whole number from `least` on, and no more than `most`.

    Raises:
        UserError: naming it.
    """
    number = as_int(given)
    if number is None:
        raise UserError(f"{name} must be a whole number, not {describe_value(given)}")
    if number < least:
        raise UserError(f"{name} must be at least {least}, not {number}")
    if most is not None and number > most:
        raise UserError(f"{name} must be at most {most:,}, not {number}")


def is_finite(given: object) -> bool:
    """Return whether this is a number, and not an infinite one.

    Example:
        >>> is_finite(0.5), is_finite(math.inf), is_finite("a")
        (True, False, False)
    """
    return isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given)


def reset_options(options: object, accepted: Sequence[str]) -> dict[str, object]:
    """Check the options of an environment's reset, and return them by name.

    Raises:
        UserError: if they are no mapping, or for another option than those accepted.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        names = ", ".join(accepted)
        raise UserError(f"options of a reset are by name ({names}), not {describe_value(options)}")
    for option in options:
        check_choice("option of a reset", option, accepted)
    return dict(options)


def list_tokens(tokens: Int[Tensor, " time"] | Sequence[int], classes: int) -> list[int]:
    """Return tokens as a list of numbers.

    Raises:
        UserError: for a number outside 0 to `classes` - 1.
    """
    numbers: list[int] = tokens.tolist() if isinstance(tokens, Tensor) else list(tokens)
    for number in numbers:
        if not 0 <= number < classes:
            raise UserError(f"tokens are 0 to {classes - 1}, not {number}")
    return numbers


def check_actions(actions: Int[Tensor, " agents"], count: int) -> None:
    """Check that actions are 0 to `count` - 1; not on a GPU, which would have to be waited for.

    Raises:
        UserError: naming the least and the greatest.
    """
    if actions.is_cpu and bool(((actions < 0) | (actions >= count)).any()):
        least, greatest = (int(end) for end in actions.aminmax())
        raise UserError(f"actions are 0 to {count - 1}, not from {least} to {greatest}")
