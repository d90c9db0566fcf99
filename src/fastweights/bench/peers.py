"""Peers that are timed beside the ops where they are installed: flash-linear-attention, in bfloat16 as it is used."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

Rule = Literal["delta rule", "gated delta rule", "Kimi's delta attention"]
FLASH = "fla bf16"
_FUNCTIONS: Mapping[Rule, tuple[str, str]] = {
    "delta rule": ("fla.ops.delta_rule", "chunk_delta_rule"),
    "gated delta rule": ("fla.ops.gated_delta_rule", "chunk_gated_delta_rule"),
    "Kimi's delta attention": ("fla.ops.kda", "chunk_kda"),
}


def flash(
    rule: Rule, rows: int, time: int, heads: int, size: int, *, device: str = "cuda"
) -> dict[str, Callable[[], object]]:
    """Build a forward and backward pass of flash-linear-attention's kernels, named `FLASH`; none without the package.

    Its kernels refuse float32, so that this is another computation, to be compared in speed alone.

    Args:
        rule: which recurrence.
        rows, time, heads, size: of keys and values alike.
        device: where it has kernels.

    Example:
        >>> set(flash("delta rule", 1, 16, 1, 16)) <= {FLASH}  # none where there is no package
        True
    """
    if importlib.util.find_spec("fla") is None:
        return {}
    module, name = _FUNCTIONS[rule]
    function = getattr(importlib.import_module(module), name)
    generator = torch.Generator().manual_seed(0)

    def draw(*last: int) -> Tensor:
        return torch.randn(rows, time, heads, *last, generator=generator)

    drawn = {
        "q": normalize(draw(size), dim=-1),
        "k": normalize(draw(size), dim=-1),
        "v": draw(size),
        "beta": draw().sigmoid(),
    }
    leaves = {n: x.to(device, torch.bfloat16).requires_grad_() for n, x in drawn.items()}
    if rule != "delta rule":
        decay = -draw(*[size] * (rule == "Kimi's delta attention")).abs()
        leaves["g"] = decay.to(device).requires_grad_()
    given = draw(size).to(device, torch.bfloat16)

    def call() -> object:
        found = function(**leaves)[0]
        return torch.autograd.grad(found, list(leaves.values()), given.to(found.dtype))

    return {FLASH: call}
