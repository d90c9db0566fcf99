"""Gradients that are products over all steps, in plain PyTorch: of W, A(0) and λ."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

States = Float[Tensor, "batch time iterates hidden"]
"""h_0(t) … h_S(t)."""
Reads = Float[Tensor, "batch time reads hidden"]
"""The gradients dy by z(t) + A(t-1) h_s(t), s = 0 … S-1."""


def weight(
    drive_gradient: Float[Tensor, "batch time hidden"],
    states: States,
    hidden: Float[Tensor, "batch hidden"] | None,
) -> Float[Tensor, "hidden hidden"]:
    """Return ∂W = Σ dz(t) h(t-1)ᵀ."""
    first = torch.zeros_like(states[:, 0, 0]) if hidden is None else hidden
    before = torch.cat((first.unsqueeze(1), states[:, :-1, -1]), 1)
    return drive_gradient.flatten(0, 1).t() @ before.flatten(0, 1)


def memory(
    reads: Reads, states: States, powers: Float[Tensor, " count"]
) -> Float[Tensor, "batch hidden hidden"]:
    """Return ∂A(0) = Σ λ^(t-1) dy h_sᵀ."""
    faded = powers[: reads.shape[1], None, None] * reads
    return torch.bmm(faded.flatten(1, 2).mT, states[:, :, :-1].flatten(1, 2))


def decay(
    reads: Reads,
    states: States,
    borders: Float[Tensor, "batch chunks hidden hidden"] | None,
    has_memory: bool,
    powers: Float[Tensor, " count"],
    rate: Float[Tensor, ""],
    chunk: int,
) -> Float[Tensor, ""]:
    """Return ∂λ = Σ ⟨dy, (∂A(t-1)/∂λ) h_s⟩, where a chunk that starts with A, and D = ∂A/∂λ, has after n steps

    ∂A(n)/∂λ = λⁿ D + n λ^(n-1) A + η Σ_i (n-1-i) λ^(n-2-i) h(i) h(i)ᵀ
    """
    slopes = torch.arange(len(powers), dtype=powers.dtype, device=powers.device)
    slopes[1:] *= powers[:-1]  # m λ^(m-1)
    steps = torch.arange(chunk, device=powers.device)
    ages = steps[:, None] - 1 - steps
    weights = (rate * slopes[ages.clamp(min=0)])[:, None]
    total, D = powers.new_zeros(()), None
    for number, start in enumerate(range(0, reads.shape[1], chunk)):
        dy = reads[:, start : start + chunk]
        queries, h = states[:, start : start + chunk, :-1], states[:, start : start + chunk, -1]
        length = dy.shape[1]
        # The history first: what h_0 is where nothing is stored yet must not count, even if it is NaN.
        products = torch.einsum("btsh,bih->btsi", dy, h) * torch.einsum(
            "btsh,bih->btsi", queries, h
        )
        earlier = (ages[:length, :length] >= 0)[:, None]
        total = total + torch.where(earlier, weights[:length, :, :length] * products, 0).sum()
        A = borders[:, number] if borders is not None and (number or has_memory) else None
        if A is not None:
            change = slopes[:length, None, None] * torch.einsum("bij,btsj->btsi", A, queries)
            if D is not None:
                change += powers[:length, None, None] * torch.einsum("bij,btsj->btsi", D, queries)
            total = total + (dy * change).sum()
        if start + chunk < reads.shape[1]:
            fading = (rate * slopes[:chunk]).flip(0)[:, None]
            grown = (fading * h).mT @ h
            for old, factor in ((A, slopes[chunk]), (D, powers[chunk])):
                if old is not None:
                    grown = grown + factor * old
            D = grown
    return total
