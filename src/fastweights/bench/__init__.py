"""Ratios measured side by side in one run, against named peers and the machine's limit."""

from fastweights.bench import (
    delta_memory,
    fast_weight_rnn,
    imports,
    language,
    language_models,
    lstm,
    metro_map,
)
from fastweights.bench.subject import Bench, Option, Row

__all__ = ["BENCHES", "Bench", "Option", "Row"]

_MODULES = (
    fast_weight_rnn,
    delta_memory,
    lstm,
    language,
    language_models,
    metro_map,
    imports,
)

BENCHES = {module.BENCH.name: module.BENCH for module in _MODULES}
"""The benchmarks by name; the first is measured where none is named."""
