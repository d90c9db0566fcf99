"""Rows of the language benchmark: whole, consistent, and equal networks where times are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from fastweights.bench import agreement, language_step
from fastweights.bench import language as bench
from fastweights.bench.language_step import Shape
from fastweights.errors import UserError

TINY = Shape(batch=3, time=4, words=9, embedding=5, hidden=6)


def test_rows_are_whole_and_consistent() -> None:
    rows = bench.run([TINY], words=130, repeats=2)
    step, words = rows
    json.dumps(rows, allow_nan=False)
    assert [row["group"] for row in rows] == [bench.STEP, bench.GENERATION]
    assert all(row["benchmark"] == "language" and row["machine"]["threads"] == 1 for row in rows)
    taken = step["milliseconds"]
    assert taken.keys() == {"awd-lstm", "awd-fwm", "torch", "products"} and step["refused"] == []
    assert step["memory"] == pytest.approx(taken["awd-fwm"] / taken["awd-lstm"])
    assert step["gflops"] == pytest.approx(language_step.flops(TINY) / taken["awd-lstm"] / 1e6)
    assert words["words"] == 130 and words["milliseconds"].keys() == {"first", "last"}
    # The norm of a read divides by little in so small a network, which makes rounding larger.
    assert words["difference"] < 1e-4
    numbers = 2 * (6 + 6 + 5) + 32**3
    assert words["state"] == [numbers, numbers]


def test_tables_hold_times_goals_and_what_is_refused() -> None:
    step = {"case": "tiny", "refused": ["torch"], "memory": 1.2, "goal": 1.25, "gflops": 80.4,
            "milliseconds": {"awd-fwm": 120.2, "awd-lstm": 100.4, "products": 50.06}}  # fmt: skip
    words = {"case": "tiny", "words": 1300, "milliseconds": {"first": 1.234, "last": 2.0}, "state": [7, 7],
             "difference": 2e-6, "goal": 1e-5}  # fmt: skip
    columns, (cells,) = bench.table([step])
    assert dict(zip(columns, cells, strict=True)) == {
        "case": "tiny",
        "awd-fwm, ms": "120",
        "awd-lstm, ms": "100",
        "torch.nn.LSTM, ms": "refused",
        "its products alone, ms": "50.1",
        "awd-fwm ÷ awd-lstm": "1.20 ≤ 1.25",
        "GFLOP/s": "80",
    }
    columns, (cells,) = bench.table([words])
    assert dict(zip(columns, cells, strict=True)) == {
        "case": "tiny",
        "near word 10, ms": "1.23",
        "near word 1,300, ms": "2",
        "state": "7",
        "logits differ": "2.0e-06 ≤ 1e-05",
    }


@pytest.fixture
def double() -> Iterator[None]:
    """Networks in float64.

    So small a memory reads next to nothing, by whose deviation a LayerNorm divides: of float32's 6e-8 there come 2e-4
    with some orders of summation, of float64's 1e-16 at most 1e-14.
    """
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ["awd-lstm", "awd-fwm"])
def test_equal_networks_step_equally_with_all_dropouts(name: str) -> None:
    variants = {kind: language_step.step(name, TINY, kind) for kind in ("torch", "reference")}
    assert agreement.errors(variants, "reference")["torch"] < 1e-11
    loss, *gradients = variants["torch"]()
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    losses = [variants["torch"]()[0].item() for _ in range(60)]
    assert losses[-1] < loss.item()


def test_the_products_are_those_of_the_layers() -> None:
    """Each weight matrix is there, and multiplied by once forward and twice backward."""
    model = language_step.network("awd-lstm", TINY)
    matrices = [w for name, w in model.named_parameters() if "weight" in name]
    assert len(matrices) == len(language_step.sizes(TINY))
    assert language_step.flops(TINY) == 6 * 12 * sum(w.numel() for w in matrices)


@pytest.mark.parametrize("shape", [(0, 4, 9, 5, 6), (3, 4, 9, 5, -1)])
def test_sizes_below_one_are_refused(shape: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(UserError, match="at least 1"):
        bench.run([shape])
    assert torch.get_num_threads() == 1
