"""What each step of a chunk writes, from the inner products of its keys and what F(0) holds under them.

Step t finds f_t = α_t F(t-1)ᵀ k_t and writes u_t = β_t (v_t − f_t), or β_t v_t (rule "hebbian"). With before(t, i) for
the decay of write i when step t finds it, and K_ti = ⟨k_t, k_i⟩,

    f_t = before(t, 0) F(0)ᵀk_t + Σ_i<t before(t, i) K_ti u_i

so the u solve a triangular system, (I + β before ∘ K) u = β (v − before(·, 0) F(0)ᵀk): the WY form of DeltaNet.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops.delta_memory.clamp_autograd import clamped
from fastweights.ops.delta_memory.decay import cumulative_clamp, cumulative_decay


def find_writes(
    K: Float[Tensor, "batch chunk chunk"],
    found: Float[Tensor, "batch chunk value"],
    values: Float[Tensor, "batch chunk value"],
    strength: Float[Tensor, "batch chunk"],
    *,
    rule: str,
    gate: Float[Tensor, "batch chunk"] | None,
    norm: Float[Tensor, " batch"] | None,
    real: Bool[Tensor, "batch chunk"] | None,
) -> tuple[
    Float[Tensor, "batch chunk value"],
    Float[Tensor, "#batch chunk past"],
    Float[Tensor, " batch"] | None,
]:
    """Return u, the cumulative decay (see `decay`), and ‖F‖² at the chunk's end where the norm is clamped.

    Args:
        K: ⟨k_t, k_i⟩.
        found: F(0)ᵀ k_t; not looked at where neither the rule nor the clamp asks for it.
        values, strength: v and β.
        rule: "delta" or "hebbian".
        gate: α; None for 1.
        norm: ‖F(0)‖², where the norm is clamped; None where it is not.
        real: False where the clamp passes a step over; None: nowhere.
    """
    beta = strength.unsqueeze(2)
    if norm is not None:
        u, factors, norm = clamped(K, found, values, strength, norm, real, rule == "delta")
        return u, cumulative_clamp(factors), norm
    steps = K.shape[1]
    decay = K.new_ones(1, steps, steps + 1).tril(1) if gate is None else cumulative_decay(gate)
    if rule == "hebbian":
        return beta * values, decay, None
    rest = beta * (values - decay[:, :, :1] * found)
    system = beta * decay[:, :, 1:] * K
    u = torch.linalg.solve_triangular(system, rest, upper=False, unitriangular=True)
    return u, decay, None
