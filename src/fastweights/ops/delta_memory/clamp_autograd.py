"""The clamp's recursion with its adjoint, which is linear, so two triangular systems solve it without a loop.

Take a gradient X on the f of a chunk. Write i and F(0) come into f_t through what the clamps of steps i … t-1 left of
them, so log γ_j acts on X_t · f_t through F(0) and the values up to j, with what later writes answer to it:

    M(X)_tj = X_t · h_t + Σ_i≤j Q_ti X_t · β_i v_i   for j < t,   Q = R S,  h = R s,  R = (I + S β)⁻¹

where S = before ∘ K and s = before(·, 0) F(0)ᵀk are what f is made of (rule "hebbian": R = I). Let u' be the gradient
on u, λ the one on log γ with what u' makes of it, c_t = 2 (f_t + κ_t u_t) and g_t = 2 u_t − β_t c_t the gradients
of N'_t on u_t alone and on f_t with u_t answering (rule "hebbian": g_t = 2 u_t). Then r, the gradient on N', solves

    r_t = −(λ_t + Σ_τ>t M(g)_τt r_τ) / 2N'_t   where the clamp is active,   r_t = r_t+1   where it is not

and the gradient on f is Rᵀ (r g − β u').
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops.delta_memory.clamp import Clamped, before, substitute, sweep
from fastweights.ops.tracing import traced


def clamped(
    K: Float[Tensor, "batch chunk chunk"],
    found: Float[Tensor, "batch chunk value"],
    values: Float[Tensor, "batch chunk value"],
    strength: Float[Tensor, "batch chunk"],
    norm: Float[Tensor, " batch"],
    real: Bool[Tensor, "batch chunk"] | None,
    delta: bool,
) -> tuple[
    Float[Tensor, "batch chunk value"], Float[Tensor, "batch chunk"], Float[Tensor, " batch"]
]:
    """Return u, γ, and ‖F‖² at the end, with gradients; arguments as `find_writes`'s."""
    if traced():
        return substitute(K, found, values, strength, norm, real, delta)[:3]
    return Recursion.apply(K, found, values, strength, norm, real, delta)


def recursion_for(device: torch.device) -> Callable[..., Clamped]:
    """Return the faster way forwards: steps are cheap on a processor, and launches dear on an accelerator.

    Sweeps end by the numbers found, of which "meta" has none.
    """
    return substitute if device.type in ("cpu", "meta") else sweep


class Recursion(torch.autograd.Function):
    """The recursion, and its adjoint all at once."""

    @staticmethod
    def forward(ctx: Any, *arguments: Tensor | bool | None) -> tuple[Tensor, Tensor, Tensor]:
        K, *rest, delta = arguments
        assert isinstance(K, Tensor)
        u, factors, end, unclamped = recursion_for(K.device)(*arguments)
        ctx.save_for_backward(K, *rest, u, factors, unclamped)
        ctx.delta = delta
        return u, factors, end

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        adjoint = _adjoint_by_autograd if torch.is_grad_enabled() else _adjoint
        return (*adjoint(ctx, *gradients), None, None)


def _adjoint(ctx: Any, d_u: Tensor, d_factors: Tensor, d_end: Tensor) -> tuple[Tensor, ...]:
    K, found, values, strength, _, real, u, factors, unclamped = ctx.saved_tensors
    over = unclamped > 1 if real is None else (unclamped > 1) & real
    beta, kappa = strength.unsqueeze(2), K.diagonal(0, 1, 2).unsqueeze(2)
    answer = beta if ctx.delta else torch.zeros_like(beta)
    of_F, of_writes = before(factors)
    S, s = of_writes * K, of_F * found
    one = torch.eye(K.shape[1], dtype=K.dtype, device=K.device).expand_as(K)
    R = torch.linalg.solve_triangular(answer.mT * S, one, upper=False, unitriangular=True)
    Q, h, wrote = R @ S, R @ s, beta * values

    def effects(X: Tensor) -> Tensor:
        """Return M(X)."""
        return ((X * h).sum(2, keepdim=True) + (Q * (X @ wrote.mT)).cumsum(2)).tril(-1)

    f = torch.baddbmm(s, S, u)
    c = 2 * (f + kappa * u)
    g, direct = 2 * u - answer * c, -answer * d_u
    lag = d_factors * factors + effects(direct).sum(1)
    share = torch.where(over, -0.5 / unclamped, 0).unsqueeze(2)
    rest = share * lag.unsqueeze(2)
    rest[:, -1, 0] += torch.where(over[:, -1], 0, d_end)
    passed_on = torch.diag_embed((~over[:, :-1]).to(K.dtype), 1)
    system = -share * effects(g).mT - passed_on
    r = torch.linalg.solve_triangular(system, rest, upper=True, unitriangular=True)

    d_f = R.mT @ (r * g + direct)
    d_u = d_u + r * c + S.mT @ d_f
    d_K = of_writes * (d_f @ u.mT) + torch.diag_embed((r * u * u).sum(2))
    d_strength = (d_u * (values - f if ctx.delta else values)).sum(2)
    return d_K, of_F * d_f, beta * d_u, d_strength, r[:, 0, 0]


def _adjoint_by_autograd(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
    """Return the same as a function that autograd can differentiate once more."""
    K, found, values, strength, norm, real = ctx.saved_tensors[:6]
    inputs, wants = (K, found, values, strength, norm), ctx.needs_input_grad[:5]
    results = substitute(*inputs, real, ctx.delta)[:3]
    wanted = [x for x, wants_it in zip(inputs, wants, strict=True) if wants_it]
    derived = iter(
        torch.autograd.grad(results, wanted, gradients, create_graph=True, allow_unused=True)
    )
    return tuple(next(derived) if wants_it else None for wants_it in wants)
