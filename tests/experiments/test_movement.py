"""Data movement: distances against a stack that is kept by hand, and small programs counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.experiments import movement
from fastweights.experiments.movement import Machine, stack_distances


@given(st.lists(st.integers(0, 6), max_size=40))
def test_distances_are_those_of_a_stack(elements: list[int]) -> None:
    stack: list[int] = []
    expected = []
    for element in elements:
        expected.append(stack.index(element) + 1 if element in stack else len(stack) + 1)
        if element in stack:
            stack.remove(element)
        stack.insert(0, element)
    assert stack_distances(np.array(elements, dtype=np.int64)).tolist() == expected


def test_a_product_counted_by_hand() -> None:
    """[a b] [x y]ᵀ → z; in memory from the start, the last allocated on top: z y x b a."""
    m = Machine()
    row, vector, out = m.array(1, 2), m.array(2), m.array(1)
    m.matvec(row, vector, out)
    found = m.movement()
    # a lies 5 deep; then z y x b below it, x 4th; then b, under x a z y; then y, under b x a z.
    depths = (5, 4, 5, 5)
    assert found.bytes == 4 * 5
    assert found.cost == pytest.approx(sum(4 * math.sqrt(4 * depth) for depth in depths))


@pytest.mark.parametrize("steps", [1, 3])
def test_bytes_are_those_of_the_equations(steps: int) -> None:
    hidden = 5
    product, vector = 2 * hidden**2 + hidden, 3 * hidden
    assert movement.vanilla(steps, hidden).bytes == 4 * steps * (product + vector)
    written = 4 * hidden**2  # A, h and h read, A written
    assert movement.explicit(steps, hidden).bytes == 4 * steps * (
        2 * product + 2 * vector + written
    )
    gates = 4 * hidden * (2 * hidden + 1) + 3 * 4 * hidden + 5 * hidden + 2 * hidden + hidden
    assert movement.lstm(steps, hidden).bytes == 4 * steps * gates


def test_a_longer_past_costs_the_attention_form_more_and_the_written_memory_the_same() -> None:
    def step(program, steps):
        return program(steps, 8).cost / steps

    assert step(movement.attention, 64) > 2 * step(movement.attention, 8)
    assert step(movement.explicit, 64) < 1.2 * step(movement.explicit, 8)


def test_the_table_names_what_is_measured(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(movement, "SIZES", ((2, 3),))
    monkeypatch.setattr(movement, "LENGTHS", (1, 2))
    measured = movement.measure(2)
    assert measured.keys() == movement._cases().keys()
    assert all(len(set(values)) == 1 and len(values) == 2 for values in measured.values())
    movement.picture(tmp_path / "movement.png")
    assert (tmp_path / "movement.png").stat().st_size
