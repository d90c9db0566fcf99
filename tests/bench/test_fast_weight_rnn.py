"""Rows of the recurrence's benchmark: whole, consistent, and silent about whatever computes something else."""

from __future__ import annotations

import json

import pytest

from fastweights.bench import fast_weight_rnn as bench
from fastweights.bench.fast_weight_rnn import Shape
from fastweights.errors import UserError

TINY = Shape(3, 4, 5)
KEYS = {
    "benchmark", "case", "batch", "time", "hidden", "threads", "flops", "errors", "tolerance", "refused",
    "milliseconds", "minimum", "spread", "speedup", "goals", "reached", "gflops", "peak_share",
    "notes_milliseconds", "machine",
}  # fmt: skip


def test_rows_are_whole_and_consistent() -> None:
    (row,) = bench.run([TINY], repeats=2)
    assert row.keys() == KEYS
    assert (row["batch"], row["time"], row["hidden"], row["threads"]) == (3, 4, 5, 1)
    assert row["refused"] == []
    assert row["errors"].keys() == {"fused", "attention", "chunked"}
    assert row["milliseconds"].keys() == {"explicit", "fused", "attention", "chunked", "lstm"}
    fused = row["milliseconds"]["fused"]
    for name, ratio in row["speedup"].items():
        assert ratio == pytest.approx(row["milliseconds"][name] / fused)
    for name, minimum in row["minimum"].items():
        assert 0 < minimum <= row["milliseconds"][name]
    assert row["gflops"] == pytest.approx(row["flops"] / (fused * 1e-3) / 1e9)
    assert row["machine"]["threads"] == 1
    json.dumps(row, allow_nan=False)


def test_variants_compute_gradients_of_everything() -> None:
    explicit = bench.variants(TINY)["explicit"]()
    assert [tuple(t.shape) for t in explicit] == [TINY, TINY, (5, 5), (5,), (5,)]
    assert all(t.abs().max() > 0 for t in explicit)


def test_flops_are_those_of_the_products_written_out() -> None:
    """Forward counted as multiply-adds of the attention form, step by step; backward is twice that."""
    batch, time, hidden = 2, 5, 3
    forward = 0
    for earlier in range(time):
        forward += 2 * hidden * hidden  # W h
        forward += 2 * (2 * hidden * earlier)  # ⟨h(τ), h_s⟩ for every τ, and the weighted sum
    assert bench.flops(batch, time, hidden) == 3 * batch * forward


def test_goals_and_notes_stand_beside_the_measured_shapes() -> None:
    assert [tuple(shape) for shape in bench.SHAPES] == [
        (128, 11, 50), (128, 11, 100), (128, 64, 128), (128, 256, 128),
    ]  # fmt: skip
    assert [note.goals["explicit"] for note in bench.NOTES.values()] == [40, 60, 40, 15]
    assert [note.goals["attention"] for note in bench.NOTES.values()] == [10, 6, 10, 15]


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, -1, 5)])
def test_sizes_below_one_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UserError, match="at least 1"):
        bench.run([shape])
