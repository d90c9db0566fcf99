"""The recurrences as pure functions on tensors: one function for each, most over several backends of equal results."""

from fastweights.ops import dispatch as backend
from fastweights.ops import padding
from fastweights.ops.delta_memory import delta_memory
from fastweights.ops.fast_weight_rnn import fast_weight_rnn
from fastweights.ops.lstm import lstm
from fastweights.ops.neural_memory import neural_memory

__all__ = ["backend", "delta_memory", "fast_weight_rnn", "lstm", "neural_memory", "padding"]
