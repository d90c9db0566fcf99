"""What JSON says against declared types: each kind of type, what fits it, what does not, and what the message says."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest

from fastweights.errors import UserError
from fastweights.io.typed import Least, check


class Inner(TypedDict, total=False):
    size: int


FITTING = [
    (int, 3),
    (float, 3),
    (float, 0.5),
    (str, ""),
    (bool, False),
    (Path, "a"),
    (float | None, None),
    (str | Path | None, "a"),
    (Literal["a", 1], "a"),
    (list[float | None], [1, None]),
    (tuple[int, ...], []),
    (dict[str, Inner], {"a": {"size": 1, "other": ()}}),
    (dict[str, Any], {"a": []}),
    (Annotated[int, Least(1)], 1),
    (object, ()),
]
WRONG = [
    (int, True, "a whole number"),
    (int, 1.0, "a whole number"),
    (int, 2**62, "a whole number"),
    (float, float("inf"), "a number"),
    (float, "1", "a number"),
    (bool, 1, "true or false"),
    (str, 1, "a text"),
    (Path, [], "a path"),
    (float | None, {}, "a number or null"),
    (Literal["a", 1], True, "'a' or 1"),
    (list[float], -1, "a list, of a number each"),
    (list[list[int]], [1], "a list"),
    (tuple[int, ...], ["a"], "a list, of a whole number each"),
    (dict[str, Inner], {"a": {"size": []}}, "an object"),
    (Inner, [], "an object"),
    (Annotated[int, Least(1)], 0, "a whole number of 1 or more"),
]


def taking(kind):
    return TypedDict("Taking", {"it": kind}, total=False)


@pytest.mark.parametrize(("kind", "value"), FITTING)
def test_what_fits_passes(kind, value):
    check("a.json", {"it": value, "unknown": ()}, taking(kind))


@pytest.mark.parametrize(("kind", "value", "told"), WRONG)
def test_what_does_not_fit_is_told(kind, value, told):
    with pytest.raises(UserError, match=f"^a.json was changed: its it is .*, not {told}") as caught:
        check("a.json", {"it": value}, taking(kind))
    assert "\n" not in str(caught.value)


def test_a_long_value_is_cut():
    with pytest.raises(UserError) as caught:
        check("a.json", {"it": "x" * 10_000}, taking(int))
    assert len(str(caught.value)) < 120
