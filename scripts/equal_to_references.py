"""Hold the family of memories against another library's step-by-step references: float64, two segments.

    python scripts/equal_to_references.py DIR          # DIR: a checkout of github.com/fla-org/flash-linear-attention
    python scripts/equal_to_references.py DIR --backend reference --json

Layers of random weights hand what they write and read to the references there, which run as they are but for their
type: they compute in float32, and here in float64. Compared are what is retrieved and the memory after each segment;
the memory after the first goes into the second. Exit code 1 if a difference is over the limit, 2 if DIR is no such
checkout.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights import nn
from fastweights.cli.console import print_json, print_table, say
from fastweights.errors import UserError
from fastweights.nn.memories.memory_layer import Access, MemoryLayer

LIMIT = 1e-12
"""Largest difference allowed, relative to the largest value of the reference's tensor."""
BATCH, TIME, SEGMENTS, INPUT, HIDDEN = 3, 37, 2, 8, 24


class Case(NamedTuple):
    """A layer, the file of its reference under `fla/ops`, and a call of that: (module, access, F) to (reads, F)."""

    layer: MemoryLayer[Any]
    file: str
    run: Callable[[ModuleType, Access, Tensor], tuple[Tensor, Tensor]]


def by_time(*parts: Tensor) -> list[Tensor]:
    """Put time before heads, as the references have it."""
    return [part.transpose(1, 2) for part in parts]


def gated(name: str) -> Callable[[ModuleType, Access, Tensor], tuple[Tensor, Tensor]]:
    """Return a call of a delta rule with a gate."""

    def run(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
        parts = (access.queries[0], access.keys[0], access.values, log(access), access.strength)
        q, k, v, g, beta = by_time(*parts)
        given = {"initial_state": F.clone(), "output_final_state": True, "scale": 1.0}
        y, F = getattr(module, name)(q=q, k=k, v=v, g=g, beta=beta, **given)
        return y.transpose(1, 2), F

    return run


def second(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
    """Run Gated DeltaNet-2: a key's erase gate is what the erase key is of it."""
    key, erase = access.keys[0], access.erase
    assert erase is not None
    parts = (access.queries[0], key, access.values, log(access), erase / key)
    q, k, v, g, b = by_time(*parts)
    y, F = module.naive_recurrent_gdn2(q, k, v, g, b, torch.ones_like(v), 1.0, F, True)
    return y.transpose(1, 2), F


def comba(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
    """Run Comba."""
    assert access.erase is not None
    p = access.erase / access.strength.unsqueeze(-1)
    parts = (access.queries[0], access.keys[0], access.values, p, access.strength, log(access))
    y, F = module.naive_recurrent_comba(*by_time(*parts), 1.0, F, True)
    return y.transpose(1, 2), F


def product(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
    """Run Gated DeltaProduct, whose queries and gates are a step's."""
    parts = (access.queries[0][:, :, 1::2], access.keys[0], access.values, log(access)[:, :, ::2])
    q, k, v, g, beta = by_time(*parts, access.strength)
    run = module.naive_recurrent_gated_delta_product
    y, F = run(q, k, v, g, beta, 1.0, None, F, True, num_householder=2)
    return y.transpose(1, 2), F


def linear(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
    """Run gated linear attention, whose scale is fixed."""
    query = access.queries[0] * access.keys[0].shape[-1] ** 0.5
    parts = by_time(query, access.keys[0], access.values, log(access))
    y, F = module.naive_recurrent_gla(*parts, F, True)
    return y.transpose(1, 2), F


def diagonal_plus_low_rank(module: ModuleType, access: Access, F: Tensor) -> tuple[Tensor, Tensor]:
    """Run RWKV-7 as a diagonal and a product of two vectors, of which the first write of a step has all."""
    assert access.erase is not None and isinstance(access.gate, Tensor)
    query = access.queries[0][:, :, 1::2] * access.keys[0].shape[-1] ** 0.5
    (key,), value, gate = access.keys, access.values, access.gate[:, :, ::2]
    removed = -access.erase[:, :, ::2] * gate
    parts = (query, key[:, :, 1::2], value[:, :, 1::2], removed, key[:, :, ::2], gate.log())
    y, F = module.dplr_recurrence(*parts, F, True)
    return y, F


def log(access: Access) -> Tensor:
    """Return the logarithm of the gate."""
    assert isinstance(access.gate, Tensor)
    return access.gate.log()


def cases(backend: str) -> list[Case]:
    """Return what is compared."""

    def made(build: Callable[..., MemoryLayer[Any]], **options: Any) -> MemoryLayer[Any]:
        return build(INPUT, HIDDEN, heads=3, backend=backend, **options).double()

    delta, kimi = gated("naive_recurrent_gated_delta_rule"), gated("naive_recurrent_kda")
    return [
        Case(made(nn.GatedDeltaNet), "gated_delta_rule", delta),
        Case(made(nn.GatedDeltaNet, negative_eigenvalues=True), "gated_delta_rule", delta),
        Case(made(nn.KimiDeltaAttention), "kda", kimi),
        Case(made(nn.KimiDeltaAttention, key_heads=1), "kda", kimi),
        Case(made(nn.GatedDeltaNet2), "gdn2", second),
        Case(made(nn.Comba), "comba", comba),
        Case(made(nn.GatedDeltaProduct), "gated_delta_product", product),
        Case(made(nn.RWKV7), "generalized_delta_rule/dplr", diagonal_plus_low_rank),
        Case(made(nn.GatedLinearAttention), "gla", linear),
        Case(made(nn.HGRN2), "gla", linear),
    ]


def reference(checkout: Path, file: str) -> ModuleType:
    """Return a module of the checkout that computes in float64.

    Raises:
        UserError: if it is not there.
    """
    path = checkout / "fla" / "ops" / file / "naive.py"
    if not path.is_file():
        raise UserError(f"{path} is no file; accepted: a checkout of flash-linear-attention")
    text = path.read_text(encoding="utf-8").replace(".float()", ".double()")
    for narrow in ("torch.float32", "torch.float)", "torch.float,"):
        text = text.replace(narrow, f"torch.float64{narrow[-1] if narrow[-1] in '),' else ''}")
    # What only its chunked forms call.
    text = text.replace("from einops import rearrange", "rearrange = None")
    module = ModuleType(file)
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


@torch.no_grad()
def differences(case: Case, checkout: Path) -> tuple[float, float]:
    """Return the largest relative difference of what is retrieved, and of the memory."""
    module, layer = reference(checkout, case.file), case.layer
    state, F = None, layer.initial_state(BATCH).memory
    worst = [0.0, 0.0]
    for _ in range(SEGMENTS):
        x = torch.randn(BATCH, TIME, INPUT, dtype=torch.float64)
        reads, state, access = layer.run_retrieval(x, state, None, None)
        expected, F = case.run(module, access, F)
        for place, (ours, theirs) in enumerate(((reads, expected), (state.memory, F))):
            worst[place] = max(
                worst[place], float((ours - theirs).abs().max() / theirs.abs().max())
            )
    return worst[0], worst[1]


def main() -> int:
    """Compare, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    try:
        for case in cases(options.backend):
            reads, memory = differences(case, options.checkout)
            rows.append((type(case.layer).__name__, case.file, reads, memory))
    except UserError as error:
        say(str(error))
        return 2
    if options.json:
        names = ("layer", "reference", "retrieved", "memory")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        shown = [[name, file, f"{reads:.1e}", f"{F:.1e}"] for name, file, reads, F in rows]
        columns = ["layer", "reference", "retrieved", "memory"]
        note = f"largest relative differences; limit {LIMIT:g}"
        print_table("this library against the references", columns, shown, note=note)
    return int(max(max(row[2:]) for row in rows) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
