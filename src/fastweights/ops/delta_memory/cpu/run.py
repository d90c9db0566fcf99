"""The fused backend on the CPU: the whole sequence in one operator, forward and backward written by hand.

Exact and chunkwise: within a chunk of time F is never made, at chunk borders it is. See `cpu_forward` and
`cpu_backward` for the equations.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.kernels import launcher
from fastweights.ops.delta_memory.cpu.launch import Arguments, entries
from fastweights.ops.delta_memory.cpu.operators import fused_memory
from fastweights.ops.delta_memory.options import Inputs, Options


def warmup(dtype: torch.dtype = torch.float32) -> None:
    """Compile the kernels ahead, forward and backward, for torch's present number of threads.

    Raises:
        CompileError: if one does not compile.
    """
    launcher.warmup(entries, dtype)


def pick_chunk(time: int, keys: int, *, empty: bool, owing: bool) -> int:
    """Return the steps between makings of F (measured).

    Args:
        time: steps in all.
        keys: features of a key, of which reading F costs as many operations for each value.
        empty: whether F is zero at the start: then a single chunk never reads it, and longer ones pay.
        owing: whether F at the start has a gradient, which is made for each step of the first chunk.
    """
    whole = keys // 2 if empty else 0 if owing else keys // 4
    chunk = 32 if keys <= 64 else 64
    return time if time <= max(whole, chunk) else chunk


def run(
    inputs: Inputs, options: Options
) -> tuple[Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"]]:
    """Return what is retrieved at every step, and the memory after the last.

    Raises:
        CompileError: at the first call, if a kernel does not compile on this machine.
        RuntimeError: from autograd, if a second derivative is asked for.
    """
    keys, values, strength, queries, memory, gate, real, read_mask = inputs
    rule, clamp, combine, read_norm, norm_eps, chunk = options
    if not torch.compiler.is_compiling():
        warmup(values.dtype)
    head, outer, inner = 0, None, keys[-1]
    chain, query = (None, None) if queries is None else (None, queries[-1])
    if len(keys) == 1:
        query = None if query is None else query.unsqueeze(2)
    else:
        chain = None if queries is None else queries[0]
        if combine == "concat":
            head, inner = keys[0].shape[2], torch.cat(keys, 2)
        else:
            outer = keys[0]
    if chunk is None:
        size = inner.shape[2] * (1 if outer is None else outer.shape[2])
        owing = memory is not None and memory.requires_grad
        chunk = pick_chunk(values.shape[1], size, empty=memory is None, owing=owing)
    tensors = (outer, inner, values, strength, chain, query, memory, gate, real, read_mask)
    retrieved, final = fused_memory(
        Arguments(*tensors, rule == "delta", clamp, head, read_norm, chunk, norm_eps)
    )
    return None if queries is None else retrieved, final
