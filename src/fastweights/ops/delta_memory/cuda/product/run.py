"""The memory with two key factors, of which a key's product is never made, with autograd; see `ops.autograd`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor

from fastweights.ops import padding
from fastweights.ops.autograd import Fused, Kept
from fastweights.ops.delta_memory.cuda.product.launch import run_forward
from fastweights.ops.delta_memory.cuda.product.launch_backward import (
    empty_gradients,
    run_backward,
)
from fastweights.ops.delta_memory.cuda.product.plan import (
    SEGMENT,
    Arguments,
    BackwardArguments,
    saved_size,
)
from fastweights.ops.delta_memory.options import Inputs, Options


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last.

    One key factor is a product with a factor that is 1.
    """
    keys, values, strength, queries, memory, _, real, read_mask, *_ = inputs
    single = len(keys) == 1
    if single:
        keys = (strength.new_ones(*strength.shape, 1), keys[0])
        memory = None if memory is None else memory.unsqueeze(1)
        queries = None if queries is None else (keys[0], queries[0].unsqueeze(2))
    if queries is not None and read_mask is not None:
        queries = tuple(padding.zeroed(part, read_mask) for part in queries)
    chain, query = (None, None) if queries is None else queries
    call = Arguments(
        keys[0],
        keys[1],
        values,
        strength,
        chain,
        query,
        memory,
        real,
        delta=options.rule == "delta",
        clamp=options.clamp,
        norm=options.read_norm,
        segment=options.chunk or SEGMENT,
        eps=options.norm_eps,
    )
    retrieved, final = fused_product(call)
    if single:
        final = final.squeeze(1)
    if queries is None:
        return None, final
    return padding.zeroed(retrieved, read_mask), final


def _fake_forward(call: Arguments) -> tuple[Tensor, Tensor, Tensor]:
    new = call.values.new_empty
    retrieved = new(call.values.shape if call.query is not None else 0)
    return retrieved, new(call.memory_shape), new(saved_size(call))


def _keep(call: Arguments, results: Sequence[Tensor], saved: Tensor) -> Kept:
    return Kept((saved, *results, *call[:8]), call[8:])


fused_product = Fused(
    "delta_memory_product",
    Arguments,
    BackwardArguments,
    results=2,
    gradients=7,
    optional=("memory",),
    forward=run_forward,
    clean_forward=partial(run_forward, clean=True),
    backward=run_backward,
    fake_forward=_fake_forward,
    fake_backward=empty_gradients,
    keep=_keep,
    alternative="backends 'reference' and 'chunked' have one",
)
