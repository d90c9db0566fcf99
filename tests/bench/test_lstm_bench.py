"""Rows of the LSTM's benchmark: whole, consistent, and all of it computed."""

from __future__ import annotations

import json

import pytest
import torch

from fastweights import ops
from fastweights.bench import lstm as bench
from fastweights.bench.fast_weight_rnn import Shape
from fastweights.errors import UserError

TINY = Shape(3, 4, 5)


def test_rows_are_whole_and_consistent() -> None:
    if ops.backend.unavailable("lstm", "cpu"):
        pytest.skip("no kernels here")
    rows = bench.run([TINY], repeats=2)
    assert [row["kind"] for row in rows] == ["vectors", "words", "step"]
    for row in rows:
        assert (row["benchmark"], row["batch"], row["time"], row["hidden"]) == ("lstm", 3, 4, 5)
        assert row["refused"] == [] and row["errors"].keys() == {"fused"}
        fused, torchs = (row["milliseconds"][name] for name in ("fused", "torch"))
        assert row["speedup"] == {"torch": pytest.approx(torchs / fused)}
        json.dumps(row, allow_nan=False)
    assert rows[2]["goals"] == {"torch": 1.3}
    columns, table = bench.BENCH.table(rows)
    assert "torch ÷ fused" in columns and [len(cells) for cells in table] == [len(columns)] * 3


@pytest.mark.parametrize("kind", bench.CASES)
def test_variants_compute_gradients_of_everything(kind: str) -> None:
    results = bench.CASES[kind](TINY)["torch"]()
    assert len(results) == {"vectors": 6, "words": 6, "step": 8}[kind]
    assert all(tensor.abs().max() > 0 for tensor in results)


def test_a_step_is_taken() -> None:
    call = bench.step(TINY)["torch"]
    losses = [call()[0].item() for _ in range(30)]
    assert losses[-1] < losses[0]


def test_the_products_are_counted_as_they_are_written() -> None:
    steps, (_, _, hidden) = 12, TINY
    forward = steps * 2 * (4 * hidden * hidden) + 7 * 2 * (4 * hidden * hidden)
    assert bench.flops(*TINY, projected=7) == 3 * forward


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, -1, 5)])
def test_sizes_below_one_are_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UserError, match="at least 1"):
        bench.run([shape])
    assert torch.get_num_threads() == 1
