"""One key factor: what the kernels take is made of the op's inputs, and what they read is normalised, in PyTorch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.delta_memory import channels
from fastweights.ops.delta_memory.cuda.vector import operators, plan
from fastweights.ops.delta_memory.options import Inputs, Options


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch key value"]]:
    """Return what is retrieved at every step, and the memory after the last; `options.chunk` is ignored."""
    keys, queries = _whole(inputs.keys), inputs.queries
    strength, erase = inputs.strength.unsqueeze(2), inputs.erase
    if erase is None and options.rule == "delta":
        erase = strength * keys
    query = None if queries is None else _whole((queries[0], *(e[:, :, 0] for e in queries[1:])))
    values = strength * inputs.values
    call = plan.Arguments(keys, values, inputs.gate, erase, query, inputs.memory)
    retrieved, final = operators.vector_memory(call)
    return None if query is None else channels.finish(retrieved, inputs, options), final


def _whole(factors: tuple[Tensor, ...]) -> Float[Tensor, "batch time key"]:
    """Return a key, or one of two that are concatenated."""
    return factors[0] if len(factors) == 1 else torch.cat(factors, 2)
