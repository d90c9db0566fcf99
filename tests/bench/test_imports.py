"""The cost of the import, measured in fresh interpreters."""

from __future__ import annotations

import pytest

from fastweights.bench import imports, report
from fastweights.errors import UserError


def test_row_holds_both_times_and_the_verdict() -> None:
    (row,) = imports.run(repeats=1)
    assert row["torch_seconds"] > 0 and row["added_seconds"] > 0
    assert row["reached"] == (row["added_seconds"] <= row["limit_seconds"] == imports.LIMIT)
    columns, (cells,) = report.to_table([row])
    assert len(columns) == len(cells)


def test_medians_leave_out_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = iter([(9.0, 9.0), (1.0, 0.5), (3.0, 0.1), (2.0, 0.2)])
    monkeypatch.setattr(imports, "_once", lambda: next(pairs))
    (row,) = imports.run(repeats=3)
    assert (row["torch_seconds"], row["added_seconds"], row["reached"]) == (2.0, 0.2, True)


def test_repeats_below_one_are_refused() -> None:
    with pytest.raises(UserError, match="at least 1"):
        imports.run(repeats=0)
