"""The recurrences as pure functions on tensors: one function for each, over several backends of equal results."""

from fastweights.ops import backend, padding
from fastweights.ops.fast_weight_rnn import fast_weight_rnn

__all__ = ["backend", "fast_weight_rnn", "padding"]
