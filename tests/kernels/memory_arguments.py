"""Random arguments for a backend of the delta memory, and the gradients it gives."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.ops.delta_memory.options import Inputs, Options

MASKS = ("real", "read_mask")
NAMED = {"memory": "memory", "gate": "gate", "mask": "real", "read_mask": "read_mask"}


def arguments(
    rows=3, time=11, sizes=(5, 6), value=5, *, reads=2, combine="product", queries=True, memory=True, gate=None,
    padded=False, read=None, rule="delta", read_norm=True, dtype=torch.float64, seed=0, strength=0.6,
) -> tuple[dict, dict]:  # fmt: skip
    """Tensors by name (all leaves, but for the masks) and the other options.

    `gate` is None, "norm", or True for a tensor, which then is 0 and above 1 at some steps; `read` the share of the
    steps that read.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + mean
        return x.to(dtype)

    shape = (sum(sizes),) if combine == "concat" else sizes
    tensors = {f"keys{n}": draw(rows, time, size, scale=size**-0.5) for n, size in enumerate(sizes)}
    tensors |= {
        "values": draw(rows, time, value),
        "strength": draw(rows, time, scale=0.2, mean=strength),
    }
    if queries:
        tensors["queries0"] = draw(rows, time, sizes[0])
        if len(sizes) == 2:
            tensors["queries1"] = draw(rows, time, reads, sizes[1])
    if memory:
        tensors["memory"] = draw(rows, *shape, value, scale=0.3)
    if gate is True:
        tensors["gate"] = draw(rows, time, scale=0.3, mean=0.8)
        tensors["gate"][:, time // 2] = 0
        tensors["gate"][0, -1] = 1.3
    masks = dict.fromkeys(MASKS)
    if padded:
        real = torch.ones(rows, time, dtype=torch.bool)
        real[0, time // 2 :], real[1, : time // 3] = False, False
        for name, x in tensors.items():
            if name != "memory":
                x[~real] = 1 if name == "gate" else 0
        masks = {"real": real, "read_mask": real}
    if read is not None:
        asked = torch.rand(rows, time, generator=generator) < read
        masks["read_mask"] = asked if masks["real"] is None else asked & masks["real"]
    tensors = {name: x.requires_grad_() for name, x in tensors.items()} | masks
    options = {
        "rule": rule,
        "clamp": gate == "norm",
        "combine": combine,
        "read_norm": read_norm,
        "norm_eps": 1e-5,
    }
    return tensors, options


def call(
    run, tensors: dict, options: dict, chunk: int | None = None
) -> tuple[Tensor | None, Tensor]:
    """Call a backend with tensors by name."""
    keys, queries = (
        tuple(x for name, x in tensors.items() if name.startswith(part))
        for part in ("keys", "queries")
    )
    named = {name: tensors.get(given) for name, given in NAMED.items()}
    inputs = Inputs(keys, tensors["values"], tensors["strength"], queries or None, **named)
    return run(inputs, Options(**options, chunk=chunk))


def differentiate(
    run, tensors: dict, options: dict, *, chunk: int | None = None, through=("retrieved", "final")
) -> dict[str, Tensor]:
    """Results and every gradient, contracted with fixed directions of the results named in `through`."""
    leaves = {
        name: x if name in MASKS or x is None else x.detach().clone().requires_grad_()
        for name, x in tensors.items()
    }
    retrieved, final = call(run, leaves, options, chunk)
    results = {"final": final} | ({} if retrieved is None else {"retrieved": retrieved})
    generator = torch.Generator().manual_seed(1)
    loss = torch.zeros((), dtype=final.dtype)
    for name, x in sorted(results.items()):
        direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        if name in through:
            loss = loss + (x * direction.to(x.dtype)).sum()
    loss.backward()
    gradients = {
        f"∂{name}": torch.zeros_like(x) if x.grad is None else x.grad
        for name, x in leaves.items()
        if name not in MASKS
    }
    return {name: x.detach() for name, x in results.items()} | gradients
