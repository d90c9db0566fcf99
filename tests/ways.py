"""The one list of ways to run each op, over which the common tests run; of a new backend the name comes here alone."""

import pytest

from fastweights.kernels.triton import ready
from fastweights.ops import dispatch

WAYS = {
    "fast_weight_rnn": {
        "reference": {"backend": "reference"},
        "chunked": {"backend": "chunked"},
        "chunked-1": {"backend": "chunked", "chunk": 1},
        "chunked-3": {"backend": "chunked", "chunk": 3},
        "cpu": {"backend": "cpu"},
        "cpu-3": {"backend": "cpu", "chunk": 3},
    },
    "delta_memory": {
        "reference": {"backend": "reference"},
        "chunked": {"backend": "chunked"},
        "chunked-3": {"backend": "chunked", "chunk": 3},
        "chunked-sweeps": {"backend": "chunked", "chunk": 5},
        "cpu": {"backend": "cpu"},
        "cpu-3": {"backend": "cpu", "chunk": 3},
    },
    "lstm": {"reference": {"backend": "reference"}, "cpu": {"backend": "cpu"}},
}
if ready.INTERPRETED:  # by hand: TRITON_INTERPRET=1 python -m pytest tests/ops -k cuda
    for op in ("fast_weight_rnn", "delta_memory"):
        WAYS[op] |= {"cuda": {"backend": "cuda"}, "cuda-3": {"backend": "cuda", "chunk": 3}}


def way_to_run(op, name):
    """Return the arguments that ask for a way, or skip the test where its backend cannot run."""
    way = WAYS[op][name]
    reason = dispatch.unavailable(op, way["backend"])
    if reason is not None:
        pytest.skip(reason)
    return way
