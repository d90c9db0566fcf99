"""Everything that needs Numba to be imported, under one roof that is entered late."""

from fastweights.kernels.isa import host
from fastweights.kernels.record import constant, pack_integers
from fastweights.ops.delta_memory.cpu.backward import backward, backward_parallel
from fastweights.ops.delta_memory.cpu.forward import forward, forward_parallel

__all__ = [
    "backward",
    "backward_parallel",
    "constant",
    "forward",
    "forward_parallel",
    "host",
    "pack_integers",
]
