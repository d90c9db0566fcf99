"""A measurement: consistent, and silent about whatever computes something else; its table."""

from __future__ import annotations

import json

import pytest
import torch

from fastweights.bench import report
from fastweights.bench.measure import TOLERANCE, Case, Note, measure


def results(*values: float):
    return lambda: [torch.tensor(values)]


def measured(checked, others=None, here=None, **options):
    given = {"truth": "explicit", "flops": 1000, **options}
    case = Case("tiny", lambda: checked, others=lambda: others or {}, **given)
    return measure(case, here or {}, repeats=1)


@pytest.mark.parametrize(("peak", "share"), [(None, lambda gflops: None), (50.0, lambda g: g / 50)])
def test_share_is_of_the_measured_peak(peak, share) -> None:
    same = results(1.0)
    row = measured({"fused": same, "explicit": same}, here={"peak_gflops": peak})
    assert row["gflops"] > 0 and row["peak_share"] == share(row["gflops"])


@pytest.mark.parametrize("name", ["fused", "attention"])
def test_a_wrong_variant_has_neither_time_nor_ratio(name: str) -> None:
    wrong = {name: results(1.0, 2.0 + 3 * TOLERANCE)}
    checked = {v: results(1.0, 2.0) for v in ("fused", "explicit", "attention")} | wrong
    row = measured(checked, {"lstm": results(7.0)}, {"peak_gflops": 100.0})
    assert row["refused"] == [name]
    assert row["errors"][name] > TOLERANCE
    assert name not in row["milliseconds"] and name not in row["speedup"]
    if name == "fused":
        assert row["speedup"] == {} and row["gflops"] is None and row["peak_share"] is None
    columns, (cells,) = report.recurrence_table([row])
    assert cells[columns.index(f"{name} ms")] == "refused"
    assert "×" not in cells[columns.index("attention ÷ fused")]


def test_a_wrong_fused_op_reaches_no_goal() -> None:
    checked = {"fused": results(float("nan")), "explicit": results(1.0)}
    row = measured(checked, note=Note(goals={"explicit": 40}))
    assert row["errors"] == {"fused": None} and row["refused"] == ["fused"]
    assert row["goals"] and not any(row["reached"].values())
    json.dumps(row, allow_nan=False)


def test_table_has_a_cell_for_every_column() -> None:
    row = {
        "benchmark": "fast-weight-rnn", "case": "B1 T2 H3", "refused": [],
        "milliseconds": {"explicit": 50.0, "fused": 0.5, "lstm": 1.0}, "speedup": {"explicit": 100.0, "lstm": 2.0},
        "goals": {"explicit": 40}, "gflops": 120.0, "peak_share": 0.5, "notes_milliseconds": {"fused": 0.2},
    }  # fmt: skip
    columns, rows = report.recurrence_table([row])
    assert [len(cells) for cells in rows] == [len(columns)]
    shown = dict(zip(columns, rows[0], strict=True))
    assert shown["case"] == "B1 T2 H3"
    assert (shown["fused ms"], shown["explicit ms"]) == ("0.5 [0.2]", "50")
    assert shown["explicit ÷ fused"] == "100.0× ≥ 40" and shown["lstm ÷ fused"] == "2.0×"
    assert (shown["GFLOP/s"], shown["of FMA peak"]) == ("120", "50%")
