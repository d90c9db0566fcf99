"""A memory's reads and writes, step by step: how much each read took from each write, and F at chosen steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from fastweights.ops.delta_memory import arguments, reference
from fastweights.ops.delta_memory.combine import products
from fastweights.ops.delta_memory.decay import Gate, decay_kind, decayed
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options
from fastweights.ops.types import at_least_float32, fold


class MemoryTrace(NamedTuple):
    """A sequence as the memory saw it.

    Attributes:
        retrieved: [*lead, time, value].
        read_weights: [*lead, time, reads, time], ⟨k_τ, query⟩ times the gates and clamps since write τ ≤ t (with
            momentum, times what has come to F of it); 0 above the diagonal. A read is Σ_τ weight · u_τ with
            u = β v − α F e (rule "delta") or β v, besides what it takes from the memory given.
        steps: F after each of the steps asked for, [*lead, len(memory_steps), *keys, value].
        memory: F after the last step, [*lead, *keys, value].
        velocity: S after it, likewise; None without momentum.
    """

    retrieved: Float[Tensor, "*lead time value"]
    read_weights: Float[Tensor, "*lead time reads time"]
    steps: Float[Tensor, "*lead steps *keys value"]
    memory: Float[Tensor, "*lead *keys value"]
    velocity: Float[Tensor, "*lead *keys value"] | None = None


def trace(
    keys: tuple[Float[Tensor, "*lead time _"], ...],
    values: Float[Tensor, "*lead time value"],
    strength: Float[Tensor, "*lead time"],
    *,
    queries: tuple[Float[Tensor, "*lead time *_"], ...],
    memory: Float[Tensor, "*lead *_ value"] | MomentumState | None = None,
    rule: str = "delta",
    gate: Gate | str | None = None,
    erase: Float[Tensor, "*lead time key"] | None = None,
    momentum: Float[Tensor, "*lead time"] | None = None,
    combine: str = "product",
    read_norm: bool = True,
    norm_eps: float = 1e-5,
    memory_steps: Sequence[int] = (),
) -> MemoryTrace:
    """Run `delta_memory` step by step and keep what it did.

    Args:
        memory_steps: the steps, 0-based, after which F is kept; the other arguments are `delta_memory`'s.

    Raises:
        UserError: for arguments that do not fit each other.

    Example:
        >>> k, v = torch.eye(3).expand(2, 1, 3, 3)
        >>> seen = trace((k,), v, torch.ones(1, 3), queries=(k,), memory_steps=[2])
        >>> seen.read_weights[0, :, 0].tolist(), seen.steps.shape
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], torch.Size([1, 1, 3, 3]))
    """
    clamp, alpha = (False, gate) if isinstance(gate, Tensor) else (gate == "norm", None)
    before, velocity = arguments.split_state(memory, momentum)
    inputs = Inputs(
        keys, values, strength, queries, before, alpha,
        erase=erase, momentum=momentum, velocity=velocity,
    )  # fmt: skip
    options = Options(rule, clamp, combine, read_norm, norm_eps)
    arguments.check(inputs, options, gate)
    kind = decay_kind(alpha, values)
    lead, time, output = strength.shape[:-1], strength.shape[-1], values.dtype
    inputs = fold(inputs, at_least_float32(output), lead)
    keys, values, strength, _, _, alpha, *_, eta, _ = inputs
    F, *moving = reference.beginning(inputs, options)
    shape, F, S = F.shape[1:], F.flatten(1, -2), moving[0] if moving else None
    decay, memories, weights, retrieved = strength[:, :0], {}, [], []
    past = tuple(k[:, :0] for k in keys)
    fading = decay  # what S has of each write
    for t, step in enumerate(reference.steps(inputs, options)):
        F, S, factor = step.memory, step.velocity, step.clamp_factor
        factor = torch.ones_like(strength[:, :1]) if factor is None else factor.unsqueeze(1)
        if kind == "channels":  # the decay is in the keys
            assert alpha is not None
            past = (past[0] * alpha[:, t, None],)
        elif kind == "step":
            decay = decayed(decay, None if alpha is None else alpha[:, t])
        decay = torch.cat((decay * factor, factor), 1)
        past = tuple(torch.cat((p, k[:, t : t + 1]), 1) for p, k in zip(past, keys, strict=True))
        if eta is not None:
            older = pad(fading * eta[:, t, None], (0, 1))
            if kind == "channels":
                past = (past[0] + older.unsqueeze(2) * keys[0][:, : t + 1],)
            else:
                decay = decay + older
            fading = pad(older[:, :-1], (0, 1), value=1.0)
        asked = tuple(torch.stack(parts, 1) for parts in zip(*step.queries, strict=True))
        inner = products(asked, past, combine)
        weights.append(pad(inner * decay.unsqueeze(1), (0, time - t - 1)))
        retrieved.append(step.retrieved)
        if t in memory_steps:
            memories[t] = F
    reads = queries[1].shape[-2] if len(queries) == 2 else 1
    found = (
        _stack(retrieved, values).to(output),
        _stack(weights, values.new_zeros(len(values), 0, reads, 0)),
        _stack([memories[t] for t in memory_steps], F[:, None][:, :0]).unflatten(2, shape[:-1]),
        F.reshape(-1, *shape),
        *(() if S is None else (S.reshape(-1, *shape),)),
    )
    return MemoryTrace(*(tensor.unflatten(0, lead) for tensor in found))


def _stack(parts: list[Tensor], empty: Tensor) -> Tensor:
    return torch.stack(parts, 1) if parts else empty
