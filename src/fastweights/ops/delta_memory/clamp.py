"""A chunk's writes where the norm of F is held at 1: a recursion in one number for each row, forwards and backwards.

With f_t and u_t as in `writes`, γ_t the factor by which clamp t scales F, and κ_t = ‖k_t‖²,

    N'_t = N_t-1 + 2 u_t · f_t + κ_t ‖u_t‖²          ‖F'‖² without F'
    γ_t = 1 / √max(1, N'_t),   N_t = min(1, N'_t)

Forwards there are two ways. `substitute` goes step by step. `sweep` finds all writes under guessed clamps, then all
clamps under those writes, over and over: a clamp depends on earlier steps alone, so each sweep settles at least one
step more and as many sweeps as steps are exact; far fewer do. It keeps an accelerator busy, which one step would not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from fastweights.ops.delta_memory.decay import cumulative_clamp


class Clamped(NamedTuple):
    """What the recursion finds.

    Attributes:
        u: the writes.
        factors: γ, 1 where the clamp is not active.
        end: ‖F‖² after the last step.
        unclamped: N'.
    """

    u: Float[Tensor, "batch chunk value"]
    factors: Float[Tensor, "batch chunk"]
    end: Float[Tensor, " batch"]
    unclamped: Float[Tensor, "batch chunk"]


def substitute(
    K: Float[Tensor, "batch chunk chunk"],
    found: Float[Tensor, "batch chunk value"],
    values: Float[Tensor, "batch chunk value"],
    strength: Float[Tensor, "batch chunk"],
    norm: Float[Tensor, " batch"],
    real: Bool[Tensor, "batch chunk"] | None,
    delta: bool,
) -> Clamped:
    """Go step by step, with what F holds under the keys still to come in `found`; arguments as `find_writes`'s."""
    u, factors, unclamped = [], [], []
    beta = strength.unsqueeze(2)
    for t, v in enumerate(values.unbind(1)):
        f = found[:, 0]
        u_t = beta[:, t] * (v - f) if delta else beta[:, t] * v
        squared = norm + (u_t * (2 * f + K[:, t, t, None] * u_t)).sum(1)
        over = squared > 1 if real is None else (squared > 1) & real[:, t]
        factor = torch.where(over, squared, 1).rsqrt()
        norm = torch.where(over, 1, squared)
        found = torch.baddbmm(found[:, 1:], K[:, t + 1 :, t, None], u_t.unsqueeze(1))
        found = factor[:, None, None] * found
        u.append(u_t)
        factors.append(factor)
        unclamped.append(squared)
    return Clamped(torch.stack(u, 1), torch.stack(factors, 1), norm, torch.stack(unclamped, 1))


def sweep(
    K: Float[Tensor, "batch chunk chunk"],
    found: Float[Tensor, "batch chunk value"],
    values: Float[Tensor, "batch chunk value"],
    strength: Float[Tensor, "batch chunk"],
    norm: Float[Tensor, " batch"],
    real: Bool[Tensor, "batch chunk"] | None,
    delta: bool,
) -> Clamped:
    """Find all steps at once, sweep after sweep; arguments as `find_writes`'s.

    A guessed clamp is wrong by whatever unclamped writes grow to, infinity at worst, but never at a settled step.
    """
    beta, kappa = strength.unsqueeze(2), K.diagonal(0, 1, 2).unsqueeze(2)
    tolerance = 16 * torch.finfo(values.dtype).eps
    result = Clamped(values, torch.ones_like(strength), norm, strength)
    for _ in range(K.shape[1]):
        of_F, of_writes = before(result.factors)
        seen, rest = of_writes * K, of_F * found
        u = beta * (values - rest) if delta else beta * values
        if delta:
            u = torch.linalg.solve_triangular(beta * seen, u, upper=False, unitriangular=True)
        f = torch.baddbmm(rest, seen, u)
        unclamped, end = _norms((u * (2 * f + kappa * u)).sum(2), norm, real)
        over = unclamped > 1 if real is None else (unclamped > 1) & real
        guess, factors = result.factors, torch.where(over, unclamped, 1).rsqrt()
        result = Clamped(u, factors, end, unclamped)
        if bool(((factors - guess).abs() <= tolerance * factors).all()):
            break
    return result


def before(
    factors: Float[Tensor, "batch chunk"],
) -> tuple[Float[Tensor, "batch chunk 1"], Float[Tensor, "batch chunk chunk"]]:
    """Return the decay of F(0), and of the writes, when each step finds them.

    Example:
        >>> of_F, of_writes = before(torch.tensor([[0.5, 0.1]]))
        >>> of_F[0].tolist(), of_writes[0].tolist()
        ([[1.0], [0.5]], [[0.0, 0.0], [0.5, 0.0]])
    """
    decay = cumulative_clamp(factors)[:, :-1]
    return pad(decay[:, :, :1], (0, 0, 1, 0), value=1.0), pad(decay[:, :, 1:], (0, 0, 1, 0))


def _norms(gained: Tensor, norm: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
    """N', and N after the last step, from N'_t − N_t-1: a scan over the maps N ↦ min(top, N + sum), by doubling."""
    sums, tops, width = gained, torch.ones_like(gained), 1
    if real is not None:
        tops = tops.masked_fill(~real, math.inf)
    while width < gained.shape[1]:
        tops = torch.minimum(tops, pad(tops[:, :-width], (width, 0), value=math.inf) + sums)
        sums = sums + pad(sums[:, :-width], (width, 0))
        width *= 2
    norms = torch.minimum(tops, norm.unsqueeze(1) + sums)
    return torch.cat((norm.unsqueeze(1), norms[:, :-1]), 1) + gained, norms[:, -1]
