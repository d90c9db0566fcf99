"""Schlag et al. 2021, appendix A: keys made as a product hold every pair of symbols apart, joined ones do not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights import ops
from fastweights.experiments.demonstration import Case, Demonstration, Measured
from fastweights.experiments.study import Reach
from fastweights.io.showing import shown

SYMBOLS = 10
PAIRS = SYMBOLS * SYMBOLS
COMBINE = ("product", "concat")
FEW = 10
DRAWN = 5
"""Seeds in the picture."""


class Recall(NamedTuple):
    """A memory's answers to the keys that were written, in the order of writing.

    Attributes:
        first, second: the symbols of each key, [bindings].
        recalled: whether the nearest symbol is the one that was bound, [bindings].
        error: ‖F k − v‖, [bindings]; the values have length 1.
    """

    first: Int[Tensor, " bindings"]
    second: Int[Tensor, " bindings"]
    recalled: Float[Tensor, " bindings"]
    error: Float[Tensor, " bindings"]


def recall(combine: str, bindings: int, seed: int) -> Recall:
    """Bind pairs of ten orthogonal symbols, all different, to symbols; then ask for every one of them.

    Each binding is written once by the delta rule, with the strength 1 / ‖k‖² that stores it exactly at once.

    Example:
        >>> recall("product", 100, seed=0).recalled.mean().item()
        1.0
    """
    generator = torch.Generator().manual_seed(seed)
    symbols = torch.linalg.qr(
        torch.randn(SYMBOLS, SYMBOLS, generator=generator, dtype=torch.float64)
    ).Q
    pair = torch.randperm(PAIRS, generator=generator)[:bindings]
    first, second = pair // SYMBOLS, pair % SYMBOLS
    value = torch.randint(SYMBOLS, (bindings,), generator=generator)
    keys = symbols[first][None], symbols[second][None]
    length = 1.0 if combine == "product" else 2.0
    strength = torch.full((1, bindings), 1 / length, dtype=torch.float64)
    _, F = ops.delta_memory(keys, symbols[value][None], strength, combine=combine)
    k1, k2 = keys[0][0], keys[1][0]
    key = (
        torch.einsum("ti,tj->tij", k1, k2).flatten(1)
        if combine == "product"
        else torch.cat((k1, k2), 1)
    )
    found = key @ F[0].flatten(0, -2)
    nearest = (found @ symbols.T).argmax(1)
    error = torch.linalg.vector_norm(found - symbols[value], dim=1)
    return Recall(first, second, (nearest == value).double(), error)


def measure(seeds: int) -> Measured:
    """Measure, for each way to make a key and for few and all bindings, the share that is lost and the worst error."""
    measured: dict[str, list[float]] = {}
    asked = [(combine, bindings) for combine in COMBINE for bindings in (FEW, PAIRS)]
    with shown("writing and asking", "memories", len(asked) * seeds) as on_progress:
        for n, (combine, bindings) in enumerate(asked):
            found = []
            for seed in range(seeds):
                found.append(recall(combine, bindings, seed))
                on_progress(n * seeds + seed + 1)
            name = f"{combine} {bindings}"
            measured[f"{name} lost"] = [100 * (1 - each.recalled.mean().item()) for each in found]
            measured[f"{name} error"] = [each.error.max().item() for each in found]
    return measured


def _cases() -> dict[str, Case]:
    cases = {}
    for combine in COMBINE:
        for bindings in (FEW, PAIRS):
            exact = combine == "product"
            name, mode = f"{combine} {bindings}", f"{bindings} bindings"
            lost = Reach(0.0) if exact else None
            cases[f"{name} lost"] = Case(combine, mode, "lost percent", bindings, lost)
            limit = Reach(1e-12) if exact else None
            cases[f"{name} error"] = Case(combine, mode, "largest error", bindings, limit)
    return cases


def picture(path: Path) -> None:
    """Draw what is left of each of the hundred bindings, and the share lost as they are made."""
    from fastweights import figures

    last = {combine: recall(combine, PAIRS, seed=0) for combine in COMBINE}
    counts = list(range(5, PAIRS + 1, 5))
    lost: dict[str, list[list[float]]] = {combine: [] for combine in COMBINE}
    with shown("drawing", "curves", len(COMBINE) * DRAWN) as on_progress:
        for n, (combine, seed) in enumerate(itertools.product(COMBINE, range(DRAWN)), start=1):
            found = (recall(combine, bindings, seed) for bindings in counts)
            lost[combine].append([100 * (1 - each.recalled.mean().item()) for each in found])
            on_progress(n)
    errors = {}
    for combine, found in last.items():
        grid = torch.zeros(SYMBOLS, SYMBOLS)
        grid[found.first, found.second] = found.error.float()
        errors[combine] = grid.numpy()
    figures.save(figures.bindings(errors, counts, lost), path, dpi=150)


DEMONSTRATION = Demonstration(
    name="fwm-bindings",
    title="Schlag et al. 2021, appendix A: product and concatenated keys",
    cases=_cases(),
    measure=measure,
    picture=picture,
    notes=(
        "Pairs of ten orthogonal symbols, each bound once to a symbol by the delta rule with strength 1 / ‖k‖²,"
        " without the norm clamp, and all asked for at the end. A product k1 ⊗ k2 has 100 orthogonal keys, one for"
        " every pair; joined, [k1; k2] has 20 dimensions, and later writes disturb earlier ones.",
    ),
)
