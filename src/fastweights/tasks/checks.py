"""What the tasks to act in ask of the numbers, options and actions that they are given."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from jaxtyping import Int
from torch import Tensor

from fastweights.errors import UserError, unknown


def whole(given: Any) -> int | None:
    """Give a whole number as an `int`, NumPy's too; None for all else, truth values among it.

    Example:
        >>> whole(7), whole(7.0), whole(True)
        (7, None, None)
    """
    if isinstance(given, bool):
        return None
    try:
        return operator.index(given)
    except TypeError:
        return None


def shown(given: Any) -> str:
    """Write what was given on one line, for a complaint.

    Example:
        >>> shown("two\\nlines")
        "'two\\\\nlines'"
    """
    return " ".join(repr(given).split())


def check_whole(name: str, given: Any, least: int) -> None:
    """Complain of what is no whole number from `least` on.

    Raises:
        UserError: naming it.
    """
    number = whole(given)
    if number is None:
        raise UserError(f"{name} must be a whole number, not {shown(given)}")
    if number < least:
        raise UserError(f"{name} must be at least {least}, not {number}")


def finite(given: Any) -> bool:
    """Say whether this is a number, and not an infinite one.

    Example:
        >>> finite(0.5), finite(math.inf), finite("a")
        (True, False, False)
    """
    return isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given)


def options_of_a_reset(options: Any, accepted: Sequence[str]) -> dict[str, Any]:
    """Take the options of an environment's reset.

    Raises:
        UserError: if they are no mapping, or for another option than those accepted.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        names = ", ".join(accepted)
        raise UserError(f"options of a reset are by name ({names}), not {shown(options)}")
    for option in options:
        if option not in accepted:
            raise unknown("option of a reset", str(option), accepted)
    return dict(options)


def check_actions(actions: Int[Tensor, " agents"], count: int) -> None:
    """Complain of an action that is not 0 to `count` - 1; not on a GPU, which would have to be waited for.

    Raises:
        UserError: naming the least and the greatest.
    """
    if actions.is_cpu and bool(((actions < 0) | (actions >= count)).any()):
        least, greatest = (int(end) for end in actions.aminmax())
        raise UserError(f"actions are 0 to {count - 1}, not from {least} to {greatest}")
