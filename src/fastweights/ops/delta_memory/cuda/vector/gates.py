"""The gradient of α, without a quotient: α = 0 costs nothing.

With G_ti = ∂/∂D_ti below the diagonal, do_t·u_i q_t·k_i + df_t·u_i e_t·k_i, what `query_back` and `key_back` left of
`before` and `after`, and E_si = α_{i+1} … α_{s-1} for i < s, b_s = α_1 … α_{s-1},

    dα_s = Σ_{t≥s} D_ts (Σ_i G_ti E_si + b_s ∂before_t) + after_s (Σ_i E_si ∂after_i + b_s ⟨F̄, F⟩)
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import Number, Pointer, constexpr, dot, kernel
from fastweights.ops.delta_memory.cuda.vector.tiles import decays, load_products


@kernel
def gate_back(
    attention: Pointer, attention_gradient: Pointer, lookups: Pointer, lookups_gradient: Pointer,
    gate: Pointer, after: Pointer, read_sums: Pointer, lookup_sums: Pointer, end_sums: Pointer,
    memory_sums: Pointer, gate_gradient: Pointer, time: Number, C: constexpr, ERASE: constexpr,
    READS: constexpr, P: constexpr,
) -> None:  # fmt: skip
    """Leave dα of chunk `program_id(0)` of row `program_id(1)`."""
    chunk, row = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, left, step = row * time + chunk * C, time - chunk * C, tl.arange(0, C)
    whole = row * tl.num_programs(0) + chunk
    end = tl.load(after + whole * C + step)
    starts = tl.zeros([C], end.dtype)
    G = tl.zeros([C, C], end.dtype)
    if READS:
        G += load_products(attention, whole, C) * load_products(attention_gradient, whole, C)
        starts += tl.load(read_sums + whole * C + step)
    if ERASE:
        G -= load_products(lookups, whole, C) * load_products(lookups_gradient, whole, C)
        starts += tl.load(lookup_sums + whole * C + step)
    row_step, column = step[:, None], step[None, :]
    G = tl.where(row_step > column, G, 0.0)
    earlier = tl.load(gate + first + step - 1, (step > 0) & (step <= left), 1.0)
    E = tl.cumprod(tl.where(row_step > column + 1, earlier[:, None], 1.0), 0)
    E = tl.where(row_step > column, E, 0.0)
    b = tl.cumprod(earlier, 0)
    inner = dot(G, tl.trans(E), P) + starts[:, None] * b[None, :]
    found = tl.sum(decays(gate, first, left, C, True) * inner, 0)
    ends = tl.load(end_sums + whole * C + step)
    found += end * (tl.sum(E * ends[None, :], 1) + b * tl.load(memory_sums + whole))
    tl.store(gate_gradient + first + step, found, step < left)
