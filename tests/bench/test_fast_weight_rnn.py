"""Rows of the recurrence's benchmark: whole, consistent, and silent about whatever computes something else."""

from __future__ import annotations

import json

import pytest
import torch

from fastweights.bench import fast_weight_rnn as bench
from fastweights.bench import report
from fastweights.bench.fast_weight_rnn import Shape
from fastweights.errors import UserError

TINY = Shape(3, 4, 5)
KEYS = {
    "benchmark", "batch", "time", "hidden", "threads", "flops", "errors", "tolerance", "refused", "milliseconds",
    "minimum", "spread", "speedup", "goals", "reached", "gflops", "peak_share", "notes_milliseconds", "machine",
}  # fmt: skip


def results(*values: float):
    return lambda: [torch.tensor(values)]


def test_rows_are_whole_and_consistent() -> None:
    (row,) = bench.run([TINY], repeats=2)
    assert row.keys() == KEYS
    assert (row["batch"], row["time"], row["hidden"], row["threads"]) == (3, 4, 5, 1)
    assert row["refused"] == []
    assert row["errors"].keys() == {"fused", "attention", "chunked"}
    assert row["milliseconds"].keys() == bench.CHECKED.keys() | {"lstm"}
    fused = row["milliseconds"]["fused"]
    for name, ratio in row["speedup"].items():
        assert ratio == pytest.approx(row["milliseconds"][name] / fused)
    for name, minimum in row["minimum"].items():
        assert 0 < minimum <= row["milliseconds"][name]
    assert row["gflops"] == pytest.approx(row["flops"] / (fused * 1e-3) / 1e9)
    assert row["machine"]["threads"] == 1
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize(("peak", "share"), [(None, lambda gflops: None), (50.0, lambda g: g / 50)])
def test_share_is_of_the_measured_peak(peak, share) -> None:
    same = results(1.0)
    row = bench.measure(TINY, {"fused": same, "explicit": same}, {}, {"peak_gflops": peak}, 1)
    assert row["gflops"] > 0 and row["peak_share"] == share(row["gflops"])


@pytest.mark.parametrize("name", ["fused", "attention"])
def test_a_wrong_variant_has_neither_time_nor_ratio(name: str) -> None:
    wrong = {name: results(1.0, 2.0 + 3 * bench.TOLERANCE)}
    checked = {v: results(1.0, 2.0) for v in ("fused", "explicit", "attention")} | wrong
    row = bench.measure(TINY, checked, {"lstm": results(7.0)}, {"peak_gflops": 100.0}, 1)
    assert row["refused"] == [name]
    assert row["errors"][name] > bench.TOLERANCE
    assert name not in row["milliseconds"] and name not in row["speedup"]
    if name == "fused":
        assert row["speedup"] == {} and row["gflops"] is None and row["peak_share"] is None
    columns, (cells,) = report.to_table([row])
    assert cells[columns.index(f"{name} ms")] == "refused"
    assert "×" not in cells[columns.index("attention ÷ fused")]


def test_a_wrong_fused_op_reaches_no_goal() -> None:
    shape = bench.SHAPES[0]
    checked = {"fused": results(float("nan")), "explicit": results(1.0)}
    row = bench.measure(shape, checked, {}, {}, 1)
    assert row["errors"] == {"fused": None} and row["refused"] == ["fused"]
    assert row["goals"] and not any(row["reached"].values())
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
    assert bench.flops(Shape(batch, time, hidden)) == 3 * batch * forward


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


def test_table_has_a_cell_for_every_column() -> None:
    row = {
        "benchmark": "fast-weight-rnn", "batch": 1, "time": 2, "hidden": 3, "refused": [],
        "milliseconds": {"explicit": 50.0, "fused": 0.5, "lstm": 1.0}, "speedup": {"explicit": 100.0, "lstm": 2.0},
        "goals": {"explicit": 40}, "gflops": 120.0, "peak_share": 0.5, "notes_milliseconds": {"fused": 0.2},
    }  # fmt: skip
    columns, rows = report.to_table([row])
    assert [len(cells) for cells in rows] == [len(columns)]
    shown = dict(zip(columns, rows[0], strict=True))
    assert shown["shape"] == "B1 T2 H3"
    assert (shown["fused ms"], shown["explicit ms"]) == ("0.5 [0.2]", "50")
    assert shown["explicit ÷ fused"] == "100.0× ≥ 40" and shown["lstm ÷ fused"] == "2.0×"
    assert (shown["GFLOP/s"], shown["of FMA peak"]) == ("120", "50%")
