"""Keys and queries scaled to norm 1, and queries by a factor, for backends that take them as they act."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.delta_memory.options import Inputs, Options

R = TypeVar("R")


def scaled(inputs: Inputs, options: Options) -> Inputs:
    """Return inputs with keys and queries as they act."""
    keys, queries, eps = inputs.keys, inputs.queries, options.unit_eps
    if eps is not None:
        keys = tuple(_unit(key, eps) for key in keys)
        queries = None if queries is None else tuple(_unit(query, eps) for query in queries)
    if queries is not None and options.query_scale != 1:
        queries = tuple(query * options.query_scale for query in queries)
    return inputs._replace(keys=keys, queries=queries)


def on_scaled(run: Callable[[Inputs, Options], R]) -> Callable[[Inputs, Options], R]:
    """Return a backend's `run` that scales before."""

    def run_scaled(inputs: Inputs, options: Options) -> R:
        if options.unit_eps is None and options.query_scale == 1:
            return run(inputs, options)
        return run(scaled(inputs, options), options)

    return run_scaled


def _unit(x: Float[Tensor, "*any features"], eps: float) -> Float[Tensor, "*any features"]:
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + eps)
