"""The kernels compile for every supported device, none of which is there, and need what `results/gpu` says.

The compiler gives up silently where a kernel has too many tiles: then it spills tens of KiB. One size of each kernel is
compiled here, for one device in turn; `scripts/compile_kernels.py` does all.
"""

import importlib.metadata
import json
from pathlib import Path

import pytest

from fastweights.kernels.triton import ready

if ready.missing() is not None or ready.INTERPRETED:
    pytest.skip("needs a compiler for Triton's kernels", allow_module_level=True)

from fastweights.kernels.triton.resources import SHARED_LIMIT, Figures
from fastweights.ops.cuda_kernels import CAPABILITIES, CASES, compile_kernel, kernels, launches

RECORD = json.loads((Path(__file__).parents[2] / "results" / "gpu" / "compiled.json").read_text())
TABLE = RECORD["kernels"]
IN_CI = (
    "Fast Weight Memory, d = 32",
    "gated delta rule, 64",
    "Hebb's rule gated by feature, 64",
    "fast-weights RNN, H = 50",
)
KERNELS = kernels(IN_CI)


def test_the_table_has_every_kernel():
    assert {case: [*rows] for case, rows in TABLE.items()} == {
        case: [*launches(case)] for case in CASES
    }
    devices = {f"sm_{each}" for each in CAPABILITIES}
    assert all(set(row) == devices for rows in TABLE.values() for row in rows.values())


@pytest.mark.parametrize("case", CASES)
def test_nothing_spills_and_shared_memory_suffices(case):
    for label, row in TABLE[case].items():
        for name, figures in row.items():
            registers, spilled, shared = figures
            assert spilled == 0 < registers <= 255 and shared <= SHARED_LIMIT, (label, name)


@pytest.mark.skipif(
    importlib.metadata.version("triton") != RECORD["triton"],
    reason="figures are another compiler's",
)
@pytest.mark.parametrize(
    "number", range(len(KERNELS)), ids=[f"{k.case}: {k.label}" for k in KERNELS]
)
def test_a_kernel_needs_what_is_recorded(number):
    kernel, capability = KERNELS[number], CAPABILITIES[number % len(CAPABILITIES)]
    recorded = TABLE[kernel.case][kernel.label][f"sm_{capability}"]
    assert compile_kernel(kernel, capability).figures == Figures(*recorded)
