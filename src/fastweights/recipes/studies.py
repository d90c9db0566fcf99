"""The studies that `fastweights reproduce` knows, as values."""

from __future__ import annotations

import functools

from fastweights.errors import unknown
from fastweights.recipes.retrieval import Retrieval
from fastweights.recipes.study import Cell, Reach, Study


def get(name: str) -> Study:
    """Return a study by name.

    Raises:
        UserError: if there is none of that name; the message names the nearest.
    """
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]()


def describe() -> dict[str, str]:
    """Return each study's name and title."""
    return {name: make().title for name, make in STUDIES.items()}


PAPER_TABLE_1 = {
    "irnn": {20: 62.11, 50: 60.23, 100: 0.34},
    "lstm": {20: 60.81, 50: 1.85, 100: 0.0},
    "associative-lstm": {20: 60.13, 50: 1.62, 100: 0.0},
    "fast-weights": {20: 1.81, 50: 0.0, 100: 0.0},
}
"""Test error in percent by model and hidden units R (Ba et al. 2016, table 1; from a secondary source)."""


@functools.cache
def ba2016_table1() -> Study:
    """Table 1 of Ba et al. 2016: four models, three sizes, the paper's fixed split and fresh data."""
    reach = {20: Reach(2.0, "median"), 50: Reach(0.1), 100: Reach(0.02)}
    cells = []
    for data in ("fresh", "fixed"):
        for hidden in (100, 50, 20):
            for model, paper in PAPER_TABLE_1.items():
                fast = model == "fast-weights"
                cells.append(
                    Cell(
                        name=f"{model} R={hidden} {data}",
                        recipe=Retrieval(
                            model=model, hidden=hidden, data=data, steps=TABLE_1_STEPS
                        ),
                        seeds=5 if fast and data == "fresh" else 3,
                        paper=paper[hidden],
                        reach=reach[hidden] if fast and data == "fresh" else None,
                        mode=f"R={hidden}, {data} data, {TABLE_1_STEPS:,} steps",
                    )
                )
    return Study(
        "ba2016-table1",
        "Ba et al. 2016, table 1: associative retrieval, test error %",
        tuple(cells),
    )


TABLE_1_STEPS = 12_000

STUDIES = {"ba2016-table1": ba2016_table1}
