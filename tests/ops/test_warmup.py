"""Compilation ahead of time: every op with kernels takes part, and nothing is left to compile."""

from __future__ import annotations

import torch

from fastweights import ops
from fastweights.ops.warmup import WARMUPS, warmup


def test_warmup_leaves_nothing_to_compile() -> None:
    torch.set_num_threads(2)
    assert warmup(1).backend == "cpu"
    again = warmup(1)
    assert torch.get_num_threads() == 2
    assert again.compile_seconds == 0 < again.seconds


def test_every_op_with_kernels_takes_part() -> None:
    fused = [name for name in ops.backend.describe() if name.endswith("/cpu")]
    assert fused == [f"{op}/cpu" for op in sorted(WARMUPS)]
