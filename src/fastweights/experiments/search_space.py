"""What a search tries: options with their choices or ranges, as a user writes them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from fastweights.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value: TypeAlias = str | int | float
"""What is tried of an option: a number of a range, or the words of a choice."""

Values: TypeAlias = Mapping[str, Value]
"""One point of a space, by option."""

SEPARATOR = ","
LOG = "log"


@dataclass(frozen=True)
class Choices:
    """Values apart from one another, as they stand on a command line."""

    values: tuple[str, ...]

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; whole ones alone, or by their logarithms."""

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise UserError(
                f"a range rises from one number to another, not {self.low:g}:{self.high:g}"
            )
        if self.log and not self.low > 0:
            raise UserError(f"a range by logarithms begins above 0, not at {self.low:g}")

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


Dimension: TypeAlias = Choices | Range
Space: TypeAlias = Mapping[str, Dimension]


def parse(text: str) -> tuple[str, Dimension]:
    """Parse `FIELD=a,b,c` (choices) or `FIELD=low:high`, also `FIELD=low:high:log` (a range).

    A range whose two ends are written as whole numbers is of whole numbers.

    Raises:
        UserError: if it is neither.

    Example:
        >>> parse("learning-rate=1e-4:1e-1:log")
        ('learning_rate', Range(low=0.0001, high=0.1, whole=False, log=True))
        >>> parse("hidden=20,50,100")
        ('hidden', Choices(values=('20', '50', '100')))
    """
    name, sign, told = text.partition("=")
    field = name.strip().lstrip("-").replace("-", "_")
    if not (sign and field and told.strip()):
        raise UserError(f"--search takes FIELD=a,b,c or FIELD=low:high[:log], not {text!r}")
    parts = [part.strip() for part in told.split(":")]
    if len(parts) == 1:
        values = tuple(value.strip() for value in told.split(SEPARATOR))
        if not all(values) or len(set(values)) < len(values):
            raise UserError(f"--search {text}: choices are words apart from one another")
        return field, Choices(values)
    try:
        low, high = float(parts[0]), float(parts[1])
        log = parts[2:] == [LOG]
        if parts[2:] not in ([], [LOG]):
            raise ValueError
    except ValueError:
        raise UserError(f"--search {text}: a range is low:high or low:high:log") from None
    whole = all(part.lstrip("+-").isdecimal() for part in parts[:2])
    return field, Range(low, high, whole=whole, log=log)


def grid(space: Space) -> Iterator[Values]:
    """Yield every point of a space of choices, the last option changing first.

    Raises:
        UserError: for a range, which has no end of points.

    Example:
        >>> [*grid({"hidden": Choices(("20", "50")), "batch": Choices(("8",))})]
        [{'hidden': '20', 'batch': '8'}, {'hidden': '50', 'batch': '8'}]
    """
    listed: dict[str, tuple[str, ...]] = {}
    for name, dimension in space.items():
        if isinstance(dimension, Range):
            raise UserError(f"a grid takes choices, not the range of {name.replace('_', '-')}")
        listed[name] = dimension.values
    yield from points(**listed)


def points(**choices: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield every point of a grid, the last option changing first: of the grid sampler, and of a study's own grids.

    Example:
        >>> [*points(hidden=(20, 50), learning_rate=(0.01,))]
        [{'hidden': 20, 'learning_rate': 0.01}, {'hidden': 50, 'learning_rate': 0.01}]
    """
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def ends(space: Space) -> Iterator[Values]:
    """Yield points that have every choice and both ends of every range: where these can be run, all can.

    Example:
        >>> [*ends({"rate": Range(0.1, 1.0), "hidden": Choices(("20", "50", "100"))})]
        [{'rate': 0.1, 'hidden': '20'}, {'rate': 1.0, 'hidden': '50'}, {'rate': 1.0, 'hidden': '100'}]
    """
    tried = {name: _tried(dimension) for name, dimension in space.items()}
    for place in range(max(map(len, tried.values()))):
        yield {name: values[min(place, len(values) - 1)] for name, values in tried.items()}


def _tried(dimension: Dimension) -> tuple[Value, ...]:
    if isinstance(dimension, Choices):
        return dimension.values
    kind = int if dimension.whole else float
    return kind(dimension.low), kind(dimension.high)


def words(values: Values) -> list[str]:
    """Return a point as the words of a command line.

    Example:
        >>> words({"learning_rate": 0.01, "model": "lstm"})
        ['--learning-rate', '0.01', '--model', 'lstm']
    """
    pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in values.items())
    return [word for pair in pairs for word in pair]


def label(values: Values) -> str:
    """Return a point's name, for a row.

    Example:
        >>> label({"learning_rate": 0.0123456789, "model": "lstm"})
        'learning rate 0.012346, model lstm'
    """
    return ", ".join(f"{name.replace('_', ' ')} {shown(value)}" for name, value in values.items())


def shown(value: Value) -> str:
    """Return a value with five digits at most."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
