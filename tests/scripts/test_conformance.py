"""The table of errors: it finds what is wrong, and the page shows the rows that are recorded."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import conformance
import op_calls

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("op", ["lstm", "neural_memory"])
def test_errors_are_those_of_rounding(op):
    found = list(conformance.rows(0, 1, [op]))
    assert len(found) == len(op_calls.backends(op)) * len(conformance.TYPES)
    assert [row["wrong"] for row in found] == [0] * len(found)
    single = next(row for row in found if row["dtype"] == "float32")
    assert 1e-9 < single["hidden"] < 1e-6


def test_a_wrong_gradient_is_counted(monkeypatch):
    right = op_calls.run

    def wrong(call, backend, *function):
        outcome = right(call, backend, *function)
        if not function:
            outcome.found["∂cell"] = outcome.found["∂cell"] + torch.tensor(0.1)
        return outcome

    monkeypatch.setattr(op_calls, "run", wrong)
    assert {row["wrong"] for row in conformance.rows(0, 1, ["lstm"])} == {1}


def test_the_page_has_the_table_of_the_recorded_rows():
    table = conformance.tables(conformance.recorded())
    page = (ROOT / "docs" / "reliability.md").read_text()
    assert max(map(len, table.splitlines())) <= 80
    assert table.count("\n| outputs ") == 2 and conformance.page_with(page, table) == page
