"""Everything that needs Numba to be imported, under one roof that is entered late."""

from fastweights.kernels.isa import host
from fastweights.kernels.record import constant, pack_integers
from fastweights.ops.lstm.cpu.backward import backward, backward_parallel
from fastweights.ops.lstm.cpu.forward import forward, forward_parallel
from fastweights.ops.lstm.cpu.product import ROWS

__all__ = [
    "ROWS",
    "backward",
    "backward_parallel",
    "constant",
    "forward",
    "forward_parallel",
    "host",
    "pack_integers",
]
