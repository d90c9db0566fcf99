"""The memory step by step with F written out: the paper's equations, on any device and dtype.

Here F is [key, value], the transpose of the paper's. The same equations stand in `chunked` and `writes` (in parallel
over a chunk), `history` (one step, without F), `cpu/` (fused) and `oracle.delta_memory` (the truth); see README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory.combine import combined, start
from fastweights.ops.delta_memory.decay import decayed
from fastweights.ops.delta_memory.options import (
    Inputs,
    MomentumState,
    Options,
    Tensors,
    state_of,
)
from fastweights.ops.over_time import Others, each_step, over_time


class Step(NamedTuple):
    """What one step did.

    Attributes:
        memory: F after the step, flat: [batch, key, value].
        velocity: S after it, likewise; None without momentum.
        clamp_factor: a number for each row, [batch], by which the clamp scaled F'; None for 1.
        queries: that of each read in its factors, ((n⁰, e¹), (n¹, e²), …), or ((q,),); () if nothing is read.
        retrieved: [batch, value]; None if nothing is read.
    """

    memory: Float[Tensor, "batch key value"]
    velocity: Float[Tensor, "batch key value"] | None
    clamp_factor: Float[Tensor, " batch"] | None
    queries: tuple[Tensors, ...]
    retrieved: Float[Tensor, "batch value"] | None

    @property
    def state(self) -> Tensors:
        """F and, with momentum, S."""
        return (self.memory,) if self.velocity is None else (self.memory, self.velocity)


def run(
    inputs: Inputs, options: Options
) -> tuple[
    Float[Tensor, "batch time value"] | None, Float[Tensor, "batch *keys value"] | MomentumState
]:
    """Return what is retrieved at every step, and the state after the last; `options.chunk` is ignored."""
    before = beginning(inputs, options)
    shape = before[0].shape

    def step(state: Tensors, values: Tensor, others: Others) -> tuple[Tensors, Tensors]:
        done = _take(state, _at_step(inputs, values, others), options)
        return done.state, () if done.retrieved is None else (done.retrieved,)

    flat = tuple(x.flatten(1, -2) for x in before)
    after, retrieved = over_time(step, flat, inputs.values, _others(inputs))
    state = state_of([x.reshape(shape) for x in after])
    if inputs.queries is None:
        return None, state
    outputs = retrieved[0] if retrieved else torch.zeros_like(inputs.values)  # there is no step
    read_mask = inputs.read_mask
    return outputs if read_mask is None else outputs.masked_fill(~read_mask.unsqueeze(2), 0), state


def beginning(inputs: Inputs, options: Options) -> Tensors:
    """Return F before the first step and, with momentum, S."""
    memory = start(inputs.keys, inputs.values, inputs.memory, options.combine)
    if inputs.momentum is None:
        return (memory,)
    return memory, torch.zeros_like(memory) if inputs.velocity is None else inputs.velocity


def steps(inputs: Inputs, options: Options) -> Iterator[Step]:
    """Yield every step in turn."""
    state = tuple(x.flatten(1, -2) for x in beginning(inputs, options))
    for values, others in each_step(inputs.values, _others(inputs)):
        done = _take(state, _at_step(inputs, values, others), options)
        yield done
        state = done.state


def _take(state: Tensors, at: Inputs, options: Options) -> Step:
    """Compute a step from F, and S where there is one, before it and the inputs at that step."""
    F, S = state[0], None
    k, beta = combined(at.keys, options.combine), at.strength.unsqueeze(1)
    F = decayed(F, at.gate)  # α F
    if at.erase is not None:
        u = beta * at.values - read(F, at.erase)
    else:
        u = beta * (at.values - read(F, k)) if options.rule == "delta" else beta * at.values
    if at.momentum is None:
        F = torch.baddbmm(F, k.unsqueeze(2), u.unsqueeze(1))  # F' = α F + u kᵀ      FWM eq. 3
    else:
        S = torch.baddbmm(decayed(state[1], at.momentum), k.unsqueeze(2), u.unsqueeze(1))
        F = F + S if at.mask is None else F + S * at.mask[:, None, None]  # Titans eq. 13, 14
    clamp_factor = None
    if options.clamp:
        clamp_factor = _clamp_factor(F, at.mask)
        F = clamp_factor[:, None, None] * F  # F' / max(1, ‖F'‖)                       FWM eq. 4
    asked, n = [], None
    if at.queries is not None:
        n, *links = at.queries
        for e in links[0].unbind(1) if links else (None,):
            asked.append((n,) if e is None else (n, e))
            n = read(F, combined(asked[-1], options.combine))  # LN(F (n ⊗ e))        FWM eq. 7
            if options.read_norm:
                n = layer_norm(n, n.shape[-1:], eps=options.norm_eps)
    return Step(F, S, clamp_factor, tuple(asked), n)


def _others(inputs: Inputs) -> Others:
    """Return what has a time besides the values, side by side."""
    queries = inputs.queries or ()
    rest = (inputs.gate, inputs.mask, inputs.erase, inputs.momentum)
    return (*inputs.keys, inputs.strength, *queries, *rest)


def _at_step(inputs: Inputs, values: Tensor, others: Others) -> Inputs:
    """Return what inputs hold at a step, of which the others come as `_others` has them."""
    rest = iter(cast("Tensors", others))
    keys, strength = tuple([next(rest) for _ in inputs.keys]), next(rest)
    queries = None if inputs.queries is None else tuple([next(rest) for _ in inputs.queries])
    gate, mask, erase, momentum = rest
    return Inputs(keys, values, strength, queries, None, gate, mask, None, erase, momentum)


def read(
    F: Float[Tensor, "batch key value"], k: Float[Tensor, "batch key"]
) -> Float[Tensor, "batch value"]:
    """Return F k, which the paper's F [value, key] makes a product from the left."""
    return torch.bmm(k.unsqueeze(1), F).squeeze(1)


def _clamp_factor(
    F: Float[Tensor, "batch key value"], real: Bool[Tensor, " batch"] | None
) -> Float[Tensor, " batch"]:
    """Return 1 / max(1, ‖F‖); 1 at padded steps."""
    norm = torch.linalg.vector_norm(F, dim=(1, 2))
    over = norm > 1 if real is None else (norm > 1) & real
    return 1 / torch.where(over, norm, 1)
