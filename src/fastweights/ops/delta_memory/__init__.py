"""Memories written by the delta rule or by Hebb's, with one or two key factors: one function over all backends."""

from __future__ import annotations

from typing import overload

from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.kernels import ready
from fastweights.kernels.triton import ready as triton_ready
from fastweights.ops import padding
from fastweights.ops.arguments import over_lead
from fastweights.ops.delta_memory import arguments, chunked, cpu, cuda, reference
from fastweights.ops.delta_memory.combine import key_shape
from fastweights.ops.delta_memory.decay import Gate, without_decay
from fastweights.ops.delta_memory.history import History
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options, Tensors
from fastweights.ops.delta_memory.scaling import on_scaled
from fastweights.ops.delta_memory.trace import trace
from fastweights.ops.dispatch import Backend, Op
from fastweights.ops.repeats import signature

__all__ = ["History", "MomentumState", "Options", "delta_memory", "key_shape", "trace"]

Results = tuple[Tensor | None, Tensor | MomentumState]


class _DeltaMemory(Op[Inputs, Options, Results, Results]):
    def prepare(self, inputs: Inputs, options: Options) -> Inputs:
        """Make padded steps write nothing, forget nothing and read nothing."""
        keys, values, strength, queries, memory, gate, mask, read_mask, erase, momentum, S = inputs
        if mask is None:
            return inputs
        return Inputs(
            tuple(padding.zeroed(factor, mask) for factor in keys),
            padding.zeroed(values, mask),
            padding.zeroed(strength, mask),
            None if queries is None else tuple(padding.zeroed(part, mask) for part in queries),
            memory,
            None if gate is None else without_decay(gate, mask),
            mask,
            mask if read_mask is None else mask & read_mask,
            None if erase is None else padding.zeroed(erase, mask),
            None if momentum is None else momentum.masked_fill(~mask, 1),
            S,
        )


OP = _DeltaMemory(
    "delta_memory",
    {
        "cpu": Backend(
            "fused kernels, hand-written backward, Numba",
            cpu.run,
            device="cpu",
            available=ready.available,
            supports=cpu.supports,
            shortcut=cpu.shortcut,
        ),
        "cuda": Backend(
            "fused kernels, hand-written backward, Triton",
            on_scaled(cuda.run),
            device=triton_ready.DEVICE,
            available=triton_ready.available,
            supports=cuda.supports,
            unchecked=triton_ready.unchecked,
        ),
        "chunked": Backend(
            "WY form in chunks of time, F at their borders, plain PyTorch", on_scaled(chunked.run)
        ),
        "reference": Backend(
            "step by step, F written out, plain PyTorch", on_scaled(reference.run)
        ),
    },
)


@overload
def delta_memory(
    keys: Tensors, values: Tensor, strength: Tensor, *, queries: Tensors | None = ...,
    memory: Tensor | None = ..., rule: str = ..., gate: Gate | str | None = ..., erase: Tensor | None = ...,
    momentum: None = ..., combine: str = ..., read_norm: bool = ..., norm_eps: float = ...,
    unit_eps: float | None = ..., query_scale: float = ..., mask: Tensor | None = ...,
    read_mask: Tensor | None = ..., chunk: int | None = ..., backend: str = ...,
) -> tuple[Tensor | None, Tensor]: ...  # fmt: skip
@overload
def delta_memory(
    keys: Tensors, values: Tensor, strength: Tensor, *, momentum: Tensor, queries: Tensors | None = ...,
    memory: MomentumState | None = ..., rule: str = ..., gate: Gate | str | None = ..., erase: Tensor | None = ...,
    combine: str = ..., read_norm: bool = ..., norm_eps: float = ..., unit_eps: float | None = ...,
    query_scale: float = ..., mask: Tensor | None = ..., read_mask: Tensor | None = ..., chunk: int | None = ...,
    backend: str = ...,
) -> tuple[Tensor | None, MomentumState]: ...  # fmt: skip
def delta_memory(
    keys: tuple[Float[Tensor, "*lead time _"], ...],
    values: Float[Tensor, "*lead time value"],
    strength: Float[Tensor, "*lead time"],
    *,
    queries: tuple[Float[Tensor, "*lead time *_"], ...] | None = None,
    memory: Float[Tensor, "*lead *_ value"] | MomentumState | None = None,
    rule: str = "delta",
    gate: Gate | str | None = None,
    erase: Float[Tensor, "*lead time key"] | None = None,
    momentum: Float[Tensor, "*lead time"] | None = None,
    combine: str = "product",
    read_norm: bool = True,
    norm_eps: float = 1e-5,
    unit_eps: float | None = None,
    query_scale: float = 1.0,
    mask: Bool[Tensor, "*_ time"] | None = None,
    read_mask: Bool[Tensor, "*_ time"] | None = None,
    chunk: int | None = None,
    backend: str = "auto",
) -> tuple[
    Float[Tensor, "*lead time value"] | None, Float[Tensor, "*lead *_ value"] | MomentumState
]:
    """Write a sequence of associations into a fast weight memory F, and read from it after each write.

        k  = k1                          one key factor
        k  = vec(k1 ⊗ k2)                two, combine "product"
        k  = [k1; k2]                    two, combine "concat"
        F' = α F + (β v − α F e) kᵀ      rule "delta", e = β k where none is given      (FWM eq. 3, with α = 1)
        F' = α F + β v kᵀ                rule "hebbian"
        F' = α F + S,  S = η S + what the rule adds                            momentum    (Titans, eq. 13 and 14)
        F ← F' / max(1, ‖F'‖)            gate "norm" alone, ‖·‖ over all of a row's memory        (FWM eq. 4)
        retrieved = LN(F q)                                                   one key factor
        retrieved = n^R,  nⁱ = LN(F combine(nⁱ⁻¹, eⁱ)),  i = 1 … R            two: chained reads  (FWM eq. 7)

    A step writes before it reads. LN has no gain and no bias. One factor and rule "delta" make DeltaNet, with a gate
    tensor Gated DeltaNet, with one of α for each feature of the key, F diag(α), Kimi's delta attention; rule "hebbian"
    makes linear attention, with a gate tensor the kind that decays. An erase key of its own is what RWKV-7, Comba and
    Gated DeltaNet-2 have, momentum the linear memory of Titans.

    Args:
        keys: one or two factors [*lead, time, k] or [*lead, time, k1], [*lead, time, k2]. `lead` is any number of
            leading dimensions, one or more: batch, heads …
        values: v [*lead, time, value].
        strength: β [*lead, time], as it acts: a scale on the writes is the caller's to multiply in.
        queries: None: nothing is read. One key factor: (q,) like the keys. Two: (n⁰ [*lead, time, k1],
            e [*lead, time, R, k2]) for R reads in a chain; R > 1 needs values of k1's size.
        memory: F before the first step, [*lead, k, value], [*lead, k1, k2, value] (product) or
            [*lead, k1 + k2, value] (concat); None means zeros. With momentum a `MomentumState` of F and S, both so.
        rule: "delta" or "hebbian".
        gate: α [*lead, time]; or, with one key factor, for each feature of the key [*lead, time, k]; None for α = 1; or
            "norm": α = 1 and the norm of F is held at 1 or below. Any number is computed with, 0, negative ones and
            those above 1 too, by which F may grow without end.
        erase: e [*lead, time, k], of rule "delta" with one key factor: what the write takes away, as it acts (no β).
        momentum: η [*lead, time], of any rule and keys, but not with gate "norm": a step adds to F what it writes and,
            fading by η, what earlier ones wrote. What is erased is of α F alone. None: there is no S.
        combine: "product" or "concat", of two key factors.
        read_norm: False leaves out LN.
        norm_eps: ε of LN.
        unit_eps: scale keys and queries, of one factor, to norm 1 first, x / √(‖x‖² + unit_eps); None leaves them. An
            erase key is used as it is given.
        query_scale: what the query, of one factor, is multiplied by.
        mask: [*lead, time] or [batch, time] bool, True = real. Padding comes before or after all real steps of a row; a
            padded step does not exist: no write, no clamp, nothing retrieved, whatever stands there.
        read_mask: likewise, True = read, in any order. Elsewhere what is retrieved is exactly 0; F is the same.
        chunk: steps between the makings of F for backends that work in chunks; None picks well. Speed alone.
        backend: "auto", "cpu", "cuda", "chunked" or "reference". Speed alone.

    Returns:
        retrieved [*lead, time, value], None without queries; and F after the last step, shaped as `memory`
        (a `MomentumState` with momentum).
        The computation runs in float32 or wider, and F comes in that type. Under autocast `retrieved` has the autocast
        type. Inner products of keys and queries, and ‖F'‖² where it is held, must be in its range: in float32 numbers
        of 1e-18 to 1e18. Beyond it a backend may find infinities, or zeros, that another does not.

    Raises:
        UserError: for arguments that do not fit each other, unknown names, padding between real steps, a backend that
            cannot run, and numbers that are not finite (looked for on the CPU, not while compiling).

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight Memory", ICLR 2021,
        eq. 3, 4 and 7 (concatenated keys: appendix A). One factor: Schlag, Irie & Schmidhuber, "Linear Transformers Are
        Secretly Fast Weight Programmers", ICML 2021; with a gate: Yang, Kautz & Hatamizadeh, "Gated Delta Networks",
        ICLR 2025. Momentum: Behrouz, Zhong & Mirrokni, "Titans", arXiv:2501.00663.

    Example:
        >>> import torch
        >>> k1, k2, v = torch.eye(3).expand(3, 1, 3, 3)
        >>> retrieved, F = delta_memory((k1, k2), v, torch.ones(1, 3), queries=(k1, k2.unsqueeze(2)), read_norm=False)
        >>> torch.equal(retrieved, v), F.shape
        (True, torch.Size([1, 3, 3, 3]))
    """
    tensor = gate if isinstance(gate, Tensor) else None
    state = arguments.split_state(memory, momentum)
    inputs = Inputs(
        keys,
        values,
        strength,
        queries,
        state[0],
        tensor,
        mask,
        read_mask,
        erase,
        momentum,
        state[1],
    )
    clamp = tensor is None and gate == "norm"
    options = Options(rule, clamp, combine, read_norm, norm_eps, chunk, unit_eps, query_scale)
    key = None
    if memory is not None and len(keys) == 1 and strength.shape[-1:] == (1,):  # see `repeats`
        key = signature(inputs, options, backend, None if tensor is not None else gate)
    found = OP.repeats.run(key, inputs)
    if found is not None:
        return found
    arguments.check(inputs, options, gate)
    steps = tuple(strength.shape)
    if len(steps) > 2:
        inputs = inputs._replace(mask=over_lead(mask, steps), read_mask=over_lead(read_mask, steps))
    facts = arguments.facts(inputs, options)
    results = OP(inputs, options, backend=backend, leading=steps[:-1], facts=facts)
    arguments.raise_if_not_finite(results, inputs)
    if key is not None:
        way = OP.backends[OP.resolve(backend, values, **facts)]
        OP.repeats.keep(key, lambda: way.shortcut(inputs, options))
    return results
