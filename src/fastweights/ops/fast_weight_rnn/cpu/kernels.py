"""Everything that needs Numba to be imported, under one roof that is entered late."""

from fastweights.kernels.isa import host
from fastweights.kernels.record import pack_integers
from fastweights.ops.fast_weight_rnn.cpu.backward import backward, backward_parallel
from fastweights.ops.fast_weight_rnn.cpu.forward import forward, forward_parallel
from fastweights.ops.fast_weight_rnn.cpu.reduce import reduce

__all__ = [
    "backward",
    "backward_parallel",
    "forward",
    "forward_parallel",
    "host",
    "pack_integers",
    "reduce",
]
