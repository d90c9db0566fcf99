"""A benchmark: one object a subject, from which the command line is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastweights.errors import UserError, check_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
"""One measurement, as it is printed and recorded in JSON."""
Rows = Sequence[Row]
Table = tuple[list[str], list[list[str]]]
"""Names of the columns, and for each row as many cells."""
Progress = Callable[[str], None]


def silent(line: str) -> None:
    """Ignore a line of progress."""


class Option(NamedTuple):
    """An option that only some benchmarks have.

    Attributes:
        name: of the option, and of the keyword of `Bench.run`.
        type: of its value.
        default: its value where it is not given.
        help: a sentence for the command line.
    """

    name: str
    type: Any
    default: object
    help: str


OFFICIAL = Option(
    "official",
    Path | None,
    None,
    "a checkout of ischlag/Fast-Weight-Memory-public, to be timed beside ours.",
)


DEVICE = Option(
    "device",
    str | None,
    None,
    "cpu, or cuda: the kernels for it beside eager PyTorch, by the device's own clock; cpu where none is given.",
)


def device_of(name: str | None) -> str:
    """Return the device that a benchmark runs on; None is "cpu".

    Raises:
        UserError: for another than "cpu" and "cuda", or one that torch does not find.
    """
    from fastweights.training.engine.settings import check_device

    device = "cpu" if name is None else name
    check_choice("device", device, ("cpu", "cuda"))
    check_device(device)
    return device


def check_official(official: Path | None, device: str) -> None:
    """Raise `UserError` for the authors' program beside ours on another device than the one it is timed on."""
    if official is not None and device == "cuda":
        raise UserError(
            "the authors' program is timed on the CPU; --official goes without --device cuda"
        )


@dataclass(frozen=True)
class Bench:
    """A benchmark of one subject.

    Attributes:
        name: on the command line.
        summary: a line on what is measured, and against what.
        run: measures; takes by keyword the `options` and
            threads: of torch and of the fused ops.
            repeats: rounds of measurement; every variant is measured once in each.
            progress: called with a line before each measurement.
        table: lays out rows of one `group`.
        repeats: rounds where none are given.
        options: those of this benchmark, beside threads and repeats.
        figure: draws the rows, if there is a figure of them.
    """

    name: str
    summary: str
    run: Callable[..., list[Row]]
    table: Callable[[Rows], Table]
    repeats: int = 7
    options: tuple[Option, ...] = ()
    figure: Callable[[Rows], Figure] | None = None
