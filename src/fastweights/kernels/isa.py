"""Vector width and register blocks by instruction set, in one table.

A block of rows must leave registers free for the operands: vectors wider than the machine's, or blocks taller than its
register file, spill and run several times slower.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple


class Isa(NamedTuple):
    """What fused kernels need to know of an instruction set.

    Attributes:
        name: for reports.
        vector_bytes: bytes in a vector register.
        rows: rows of the output held in registers by a matrix product, one vector each.
        pair: the same of a kernel that holds two such blocks.
        quad: of one that holds four.
        tile: side of the square tile of accumulators of an outer product.
        fused: whether x y + z is one instruction; else it would be a call for each lane.
    """

    name: str
    vector_bytes: int
    rows: int
    pair: int
    quad: int
    tile: int
    fused: bool


AVX512 = Isa("avx512", 64, 8, 8, 4, 5, True)
AVX2 = Isa("avx2", 32, 8, 4, 2, 3, True)
NEON = Isa("neon", 16, 8, 8, 4, 5, True)
GENERIC = Isa("generic", 16, 4, 4, 2, 2, False)


@cache
def host() -> Isa:
    """Return the table's row for this machine, as the compiler sees it (so a feature masked off does not count)."""
    import llvmlite.binding as llvm
    from numba.core import config

    settings: Any = config
    features = dict(llvm.get_host_cpu_features())
    if settings.CPU_FEATURES is not None:
        masked = settings.CPU_FEATURES.split(",")
        features = {part[1:]: part[0] == "+" for part in masked if part}
    if features.get("avx512f"):
        return AVX512
    if features.get("avx2") and features.get("fma"):
        return AVX2
    architecture = llvm.get_process_triple().split("-")[0]
    if architecture in ("aarch64", "arm64"):
        return NEON
    return GENERIC
