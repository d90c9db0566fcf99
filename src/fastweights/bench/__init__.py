"""Ratios measured side by side in one run, against named peers and the machine's limit."""

from fastweights.bench import (
    delta_memory,
    fast_weight_rnn,
    imports,
    language,
    lstm,
    machine,
    metro_map,
)
from fastweights.bench.report import LEGEND, to_table

__all__ = [
    "LEGEND",
    "delta_memory",
    "fast_weight_rnn",
    "imports",
    "language",
    "lstm",
    "machine",
    "metro_map",
    "to_table",
]
