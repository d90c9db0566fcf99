"""The recurrences as pure functions on tensors: one function for each, over several backends of equal results."""

from fastweights.ops import backend, padding
from fastweights.ops.delta_memory import delta_memory
from fastweights.ops.fast_weight_rnn import fast_weight_rnn
from fastweights.ops.lstm import lstm

__all__ = ["backend", "delta_memory", "fast_weight_rnn", "lstm", "padding"]
