"""What counts as agreeing with the reference."""

from __future__ import annotations

import pytest
import torch

from fastweights.bench import agreement

TRUTH = [torch.tensor([[1.0, -4.0]]), torch.tensor([0.0])]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([TRUTH[0].clone(), TRUTH[1].clone()], 0.0),
        ([TRUTH[0] + torch.tensor([[0.0, 1.0]]), TRUTH[1]], 0.25),
        ([TRUTH[0], TRUTH[1] + 3], 3.0),
        ([TRUTH[0] * float("nan"), TRUTH[1]], float("inf")),
        ([TRUTH[0][0], TRUTH[1]], float("inf")),
        (TRUTH[:1], float("inf")),
    ],
    ids=["equal", "relative to the largest", "absolute beside zeros", "NaN", "shape", "count"],
)
def test_error(results: list[torch.Tensor], expected: float) -> None:
    assert agreement.error(results, TRUTH) == expected


def test_errors_leave_out_the_truth() -> None:
    found = agreement.errors({"true": lambda: TRUTH, "same": lambda: TRUTH}, "true")
    assert found == {"same": 0.0}
