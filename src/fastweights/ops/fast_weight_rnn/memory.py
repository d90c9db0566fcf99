"""The memory A in closed form from the hidden states that wrote it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def powers(decay: float | Tensor, count: int, like: Tensor) -> Float[Tensor, " count"]:
    """Return λ^0 … λ^(count-1), with the dtype and device of `like`."""
    exponents = torch.arange(count, dtype=like.dtype, device=like.device)
    return torch.pow(decay, exponents)


def final_memory(
    outputs: Float[Tensor, "batch time hidden"],
    memory: Float[Tensor, "batch hidden hidden"] | None,
    decay: float | Tensor,
    rate: float | Tensor,
    lengths: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch hidden hidden"]:
    """Return A(ℓ) = λ^ℓ A(0) + η Σ_τ≤ℓ λ^(ℓ-τ) h(τ) h(τ)ᵀ.

    Args:
        outputs: h(1) … h(T), zero after a row's length.
        memory: A(0); None means zeros.
        decay: λ.
        rate: η.
        lengths: ℓ of each row; None means T.
    """
    time = outputs.shape[1]
    fading = powers(decay, time + 1, outputs)
    if lengths is None:
        decayed, weights = fading[time], fading[:time].flip(0).unsqueeze(1)
    else:
        ages = lengths[:, None] - 1 - torch.arange(time, device=lengths.device)
        decayed, weights = fading[lengths][:, None, None], fading[ages.clamp(min=0)].unsqueeze(2)
    fading_writes = (rate * weights * outputs).transpose(1, 2)
    if memory is None:
        return torch.bmm(fading_writes, outputs)
    return torch.baddbmm(decayed * memory, fading_writes, outputs)
