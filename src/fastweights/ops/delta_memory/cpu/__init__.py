"""The fused backend on the CPU: the whole sequence in one operator, forward and backward written by hand.

Exact and chunkwise: within a chunk of time F is never made, at chunk borders it is. See `forward` and `backward` for
the equations. Nothing here imports Numba, which is slow, before `run`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops.delta_memory.channels import arrays, finish
from fastweights.ops.delta_memory.decay import decay_kind
from fastweights.ops.delta_memory.options import Inputs, Options
from fastweights.ops.delta_memory.scaling import scaled


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Return in a line why the kernels cannot run a call; None if they can."""
    if facts.get("momentum"):
        return "there are no kernels for momentum; 'chunked' has it"
    return ready.supports(tensor)


def shortcut(inputs: Inputs, options: Options) -> Callable[[Inputs], Any] | None:
    """Return what runs steps like this one without a gradient, None if they are left to `run`."""
    from fastweights.ops.delta_memory.cpu import direct

    return direct.shortcut(inputs, options)


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last.

    Raises:
        Unavailable: if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    from fastweights.kernels.launcher import warmup
    from fastweights.ops.delta_memory.cpu import launch, operators, plan

    keys, values, strength, queries, memory, gate, real, read_mask, erase, *_ = inputs
    if erase is not None or decay_kind(gate, values) == "channels":
        return _run_channels(inputs, options)
    if not torch.compiler.is_compiling():
        warmup(launch.passes, values.dtype)
    head, outer, inner = 0, None, keys[-1]
    chain, query = (None, None) if queries is None else (None, queries[-1])
    if len(keys) == 1:
        query = None if query is None else query.unsqueeze(2)
    else:
        chain = None if queries is None else queries[0]
        if options.combine == "concat":
            head, inner = keys[0].shape[2], torch.cat(keys, 2)
        else:
            outer = keys[0]
    chunk = options.chunk
    if chunk is None:
        size = inner.shape[2] * (1 if outer is None else outer.shape[2])
        chunk = plan.pick_chunk(
            values.shape[1],
            size,
            empty=memory is None,
            needs_memory_grad=memory is not None and memory.requires_grad,
        )
    call = launch.Arguments(
        outer,
        inner,
        values,
        strength,
        chain,
        query,
        memory,
        gate,
        real,
        read_mask,
        delta=options.rule == "delta",
        clamp=options.clamp,
        head=head,
        norm=options.read_norm,
        chunk=chunk,
        eps=options.norm_eps,
        unit_keys=options.unit_eps is not None,
        unit_eps=options.unit_eps or 0.0,
        query_scale=options.query_scale,
    )
    retrieved, final = operators.fused_memory(call)
    return None if queries is None else retrieved, final


def _run_channels(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch key value"]]:
    """Run the kernels with a decay for each feature of the key, or with erase keys."""
    from fastweights.kernels.launcher import warmup
    from fastweights.ops.delta_memory.cpu.channels import launch, plan

    if not torch.compiler.is_compiling():
        warmup(launch.passes, inputs.values.dtype)
    keys, values, gate, erase, query = arrays(scaled(inputs, options), options)
    chunk = options.chunk or plan.STEPS
    call = launch.Arguments(keys, gate, values, erase, query, inputs.memory, chunk)
    retrieved, final = launch.fused_channels(call)
    return None if query is None else finish(retrieved, inputs, options), final
