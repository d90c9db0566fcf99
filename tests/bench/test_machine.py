"""The machine's description."""

from __future__ import annotations

import json

import torch

from fastweights.bench import machine


def test_description_names_what_a_comparison_needs() -> None:
    found = machine.describe(threads=1)
    assert found["processor"] and found["cores"] >= 1 and found["threads"] == 1
    assert found["torch"] == torch.__version__
    assert found["isa"] in {"avx512", "avx2", "neon", "generic"}
    assert found["vector_bytes"] in {16, 32, 64}
    json.dumps(found, allow_nan=False)
