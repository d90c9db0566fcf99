"""Memories written by the delta rule or by Hebb's, with one or two key factors: one function over all backends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops import dispatch as backends
from fastweights.ops.delta_memory import arguments, chunked, reference
from fastweights.ops.delta_memory.combine import key_shape
from fastweights.ops.delta_memory.cpu import entry as fused
from fastweights.ops.delta_memory.history import History
from fastweights.ops.delta_memory.trace import look_inside

__all__ = ["History", "delta_memory", "key_shape", "look_inside"]

OP = "delta_memory"

Tensors = tuple[Tensor, ...]


def delta_memory(
    keys: tuple[Float[Tensor, "*lead time _"], ...],
    values: Float[Tensor, "*lead time value"],
    strength: Float[Tensor, "*lead time"],
    *,
    queries: tuple[Float[Tensor, "*lead time *_"], ...] | None = None,
    memory: Float[Tensor, "*lead *_ value"] | None = None,
    rule: str = "delta",
    gate: Float[Tensor, "*lead time"] | str | None = None,
    combine: str = "product",
    read_norm: bool = True,
    norm_eps: float = 1e-5,
    mask: Bool[Tensor, "*_ time"] | None = None,
    read_mask: Bool[Tensor, "*_ time"] | None = None,
    chunk: int | None = None,
    backend: str = "auto",
) -> tuple[Float[Tensor, "*lead time value"] | None, Float[Tensor, "*lead *_ value"]]:
    """Write a sequence of associations into a fast weight memory F, and read from it after each write.

        k  = k1                          one key factor
        k  = vec(k1 ⊗ k2)                two, combine "product"
        k  = [k1; k2]                    two, combine "concat"
        F' = α F + β (v − α F k) kᵀ      rule "delta"        (FWM eq. 3, with α = 1)
        F' = α F + β v kᵀ                rule "hebbian"
        F ← F' / max(1, ‖F'‖)            gate "norm" alone, ‖·‖ over all of a row's memory        (FWM eq. 4)
        retrieved = LN(F q)                                                   one key factor
        retrieved = n^R,  nⁱ = LN(F combine(nⁱ⁻¹, eⁱ)),  i = 1 … R            two: chained reads  (FWM eq. 7)

    A step writes before it reads. LN has no gain and no bias. One factor and rule "delta" make DeltaNet, with a gate
    tensor Gated DeltaNet; rule "hebbian" makes linear attention, with a gate tensor the kind that decays.

    Args:
        keys: one or two factors [*lead, time, k] or [*lead, time, k1], [*lead, time, k2]. `lead` is any number of
            leading dimensions, one or more: batch, heads …
        values: v [*lead, time, value].
        strength: β [*lead, time], as it acts: a scale on the writes is the caller's to multiply in.
        queries: None: nothing is read. One key factor: (q,) like the keys. Two: (n⁰ [*lead, time, k1],
            e [*lead, time, R, k2]) for R reads in a chain; R > 1 needs values of k1's size.
        memory: F before the first step, [*lead, k, value], [*lead, k1, k2, value] (product) or
            [*lead, k1 + k2, value] (concat); None means zeros.
        rule: "delta" or "hebbian".
        gate: α [*lead, time], None for α = 1, or "norm": α = 1 and the norm of F is held at 1 or below.
        combine: "product" or "concat", of two key factors.
        read_norm: False leaves out LN.
        norm_eps: ε of LN.
        mask: [*lead, time] or [batch, time] bool, True = real. Padding comes before or after all real steps of a row; a
            padded step does not exist: no write, no clamp, nothing retrieved, whatever stands there.
        read_mask: likewise, True = read, in any order. Elsewhere what is retrieved is exactly 0; F is the same.
        chunk: steps between the makings of F for backends that work in chunks; None picks well. Speed alone.
        backend: "auto", "reference", "chunked", "cpu" or "cuda". Speed alone.

    Returns:
        retrieved [*lead, time, value], None without queries; and F after the last step, shaped as `memory`.
        The computation runs in float32 or wider. Under autocast `retrieved` has the autocast type, F the type of
        `memory`, or float32.

    Raises:
        UserError: for arguments that do not fit each other, unknown names, padding between real steps, a backend that
            cannot run, and numbers that are not finite (looked for on the CPU, not while compiling).

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight Memory", ICLR 2021,
        eq. 3, 4 and 7 (concatenated keys: appendix A). One factor: Schlag, Irie & Schmidhuber, "Linear Transformers Are
        Secretly Fast Weight Programmers", ICML 2021; with a gate: Yang, Kautz & Hatamizadeh, "Gated Delta Networks",
        ICLR 2025.

    Example:
        >>> k1, k2, v = torch.eye(3).expand(3, 1, 3, 3)
        >>> retrieved, F = delta_memory((k1, k2), v, torch.ones(1, 3), queries=(k1, k2.unsqueeze(2)), read_norm=False)
        >>> torch.equal(retrieved, v), F.shape
        (True, torch.Size([1, 3, 3, 3]))
    """
    options: dict[str, Any] = {
        "queries": queries,
        "memory": memory,
        "rule": rule,
        "gate": gate,
        "combine": combine,
        "read_norm": read_norm,
        "norm_eps": norm_eps,
        "chunk": chunk,
    }
    given = (keys, values, strength)
    arguments.check(*given, mask=mask, read_mask=read_mask, **options)
    facts = {
        "key_sizes": tuple(factor.shape[-1] for factor in keys),
        "reads": 0 if queries is None else 1 if len(keys) == 1 else queries[1].shape[-2],
        "rule": rule,
        "gate": "tensor" if isinstance(gate, Tensor) else gate,
        "combine": combine,
    }
    mask, read_mask = (arguments.over_lead(m, strength) for m in (mask, read_mask))
    name = backends.resolve(OP, backend, values, **facts)
    try:
        results = _run(name, *given, mask=mask, read_mask=read_mask, **options)
    except backends.Unavailable as error:
        backends.withdraw(OP, name, str(error))
        name = backends.resolve(OP, backend, values, **facts)
        results = _run(name, *given, mask=mask, read_mask=read_mask, **options)
    arguments.blame(results, *given, queries=queries, gate=gate, memory=memory, mask=mask)
    return results


RUNNERS: dict[str, Callable[..., tuple[Tensor | None, Tensor]]] = {
    "reference": reference.run,
    "chunked": chunked.run,
    "cpu": fused.run,
}


def _run(
    name: str,
    keys: Tensors,
    values: Tensor,
    strength: Tensor,
    *,
    queries: Tensors | None,
    memory: Tensor | None,
    gate: Tensor | str | None,
    mask: Tensor | None,
    read_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor | None, Tensor]:
    """Run a backend on rows, in a wide enough type and outside autocast; give its results their shape and type."""
    device, lead = values.device.type, strength.shape[:-1]
    compute = torch.float32
    for tensor in (*keys, values, strength, *(queries or ()), memory, gate):
        if isinstance(tensor, Tensor):
            compute = torch.promote_types(compute, tensor.dtype)
    mixed = torch.is_autocast_enabled(device)
    output_type = values.dtype
    if mixed:
        output_type = torch.get_autocast_dtype(device) if compute == torch.float32 else compute
    state_type = memory.dtype if memory is not None else compute if mixed else values.dtype

    def rows(tensor: Tensor) -> Tensor:
        if tensor.dtype != compute and tensor.dtype != torch.bool:
            tensor = tensor.to(compute)
        return tensor if len(lead) == 1 else tensor.flatten(0, len(lead) - 1)

    def as_given(tensor: Tensor, dtype: torch.dtype) -> Tensor:
        tensor = tensor if tensor.dtype == dtype else tensor.to(dtype)
        return tensor if len(lead) == 1 else tensor.unflatten(0, lead)

    with torch.autocast(device, enabled=False) if mixed else nullcontext():
        retrieved, F = _run_padded(
            name,
            tuple(rows(factor) for factor in keys),
            rows(values),
            rows(strength),
            queries=None if queries is None else tuple(rows(part) for part in queries),
            memory=None if memory is None else rows(memory),
            gate=rows(gate) if isinstance(gate, Tensor) else None,
            clamp=gate == "norm",
            mask=None if mask is None else rows(mask),
            read_mask=None if read_mask is None else rows(read_mask),
            **options,
        )
    F = as_given(F, state_type)
    return None if retrieved is None else as_given(retrieved, output_type), F


def _run_padded(
    name: str,
    keys: Tensors,
    values: Tensor,
    strength: Tensor,
    *,
    queries: Tensors | None,
    gate: Tensor | None,
    mask: Tensor | None,
    read_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor | None, Tensor]:
    """Make padded steps write nothing, forget nothing and read nothing, then run the backend."""
    if mask is not None:
        keys = tuple(_where(mask, factor) for factor in keys)
        values, strength = _where(mask, values), _where(mask, strength)
        queries = None if queries is None else tuple(_where(mask, part) for part in queries)
        gate = None if gate is None else gate.masked_fill(~mask, 1)
        read_mask = mask if read_mask is None else mask & read_mask
    return RUNNERS[name if strength.numel() else "reference"](
        keys,
        values,
        strength,
        queries=queries,
        gate=gate,
        real=mask,
        read_mask=read_mask,
        **options,
    )


def _where(mask: Tensor, x: Tensor) -> Tensor:
    """x at real steps, 0 at padded ones."""
    return x.masked_fill(~mask.reshape(*mask.shape, *(1,) * (x.dim() - 2)), 0)


backends.register(OP, "reference", backends.Backend("step by step, F written out, plain PyTorch"))
backends.register(
    OP, "chunked", backends.Backend("WY form in chunks of time, F at their borders, plain PyTorch")
)
backends.register(
    OP,
    "cpu",
    backends.Backend(
        "fused kernels, hand-written backward, Numba",
        device="cpu",
        available=fused.available,
        supports=fused.supports,
    ),
)
