"""The launches of a backward."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.ops.delta_memory.cuda.vector.launch import Call, other_if_none
from fastweights.ops.delta_memory.cuda.vector.plan import BackwardArguments, parts_of


class Flows(NamedTuple):
    """What both kinds of gate turn into the gradients of keys, erase keys, queries and gate.

    Attributes:
        do: the gradient by what is read, [rows, time, V]; `keys` where nothing is.
        dv: that by the values, -df.
        writes: u.
        ends: F̄ of every chunk's end, [rows, chunks, K, V].
        d_attention, d_lookups: do uᵀ and -df uᵀ, [rows, chunks, C, C].
        kinds: whether something is erased, and whether what is read has a gradient.
    """

    do: Tensor
    dv: Tensor
    writes: Tensor
    ends: Tensor
    d_attention: Tensor
    d_lookups: Tensor
    kinds: dict[str, bool]


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the tensors of `Arguments`, None for what was not given or is not wanted."""
    from fastweights.ops.delta_memory.cuda.vector import backward as kernels

    run = Call(call.keys, call.value_size, call.gate)
    parts = parts_of(call.saved, call, run.V)
    before, after, borders = parts["before"], parts["after"], parts["borders"]
    keys, queries = parts.get("keys_behind", call.keys), parts.get("queries_up", call.queries)
    writes = parts.get("writes", keys if call.values is None else call.values)
    kinds = {"ERASE": call.erase is not None, "READS": call.gradient is not None}
    q, do = other_if_none(keys, queries, call.gradient)
    attention, lookups = other_if_none(before, parts.get("attention"), parts.get("lookups"))
    d_attention, d_lookups = torch.empty_like(attention), torch.empty_like(lookups)
    du, ends = keys.new_empty(run.rows, run.time, run.V), torch.empty_like(borders)
    memory_gradient = keys.new_empty(run.rows, run.K, run.V)
    if kinds["READS"]:
        run.multiply(do, writes, d_attention)
        run.over_chunks(
            kernels.read_back, attention, do, run.alpha, du, "V", "C", "BV", "GATED", "P"
        )
    run.over_values(
        kernels.states_back, q, keys, parts.get("W", keys), do, before, after,
        parts.get("totals", before), *other_if_none(keys, call.final_gradient), du, ends,
        memory_gradient, **kinds, HAS_FINAL=call.final_gradient is not None,
    )  # fmt: skip
    dv = du
    if call.erase is not None:
        dv = torch.empty_like(du)
        run.over_chunks(kernels.writes_back, parts["inverse"], du, dv, "V", "C", "BV", "P")
        run.multiply(dv, writes, d_lookups)
    flows = Flows(do, dv, writes, ends, d_attention, d_lookups, kinds)
    rest = _by_step if run.channels is None else _by_feature
    dk, de, dq, d_gate = rest(run, call, parts, flows)
    if call.queries is not None and not kinds["READS"]:
        dq = torch.zeros_like(call.queries)
    return dk, dv, d_gate, de, dq, memory_gradient if call.has_memory else None


def _by_step(
    run: Call, call: BackwardArguments, parts: dict[str, Tensor], flows: Flows
) -> tuple[Tensor | None, ...]:
    """Return dk, de, dq and dα, α being a number a step or 1."""
    from fastweights.ops.delta_memory.cuda.vector import backward as kernels
    from fastweights.ops.delta_memory.cuda.vector.gates import gate_back

    keys, before, after, borders = call.keys, parts["before"], parts["after"], parts["borders"]
    (do, dv, writes, ends, d_attention, d_lookups, kinds), like = flows, torch.empty_like
    q, e = other_if_none(keys, call.queries, call.erase)
    constants = ("K", "V", "C", "BK", "BV", "GATED", "P")
    lookup_sums, read_sums, end_sums = like(before), like(before), like(before)
    dk, de, dq, d_gate = like(keys), None, None, None
    if call.erase is not None:
        de = like(e)
        run.over_chunks(
            kernels.query_back, d_lookups, e, keys, dv, run.alpha, before, borders, de, lookup_sums,
            *constants, LOOKUP=True,
        )  # fmt: skip
    if call.queries is not None and kinds["READS"]:
        dq = like(q)
        run.over_chunks(
            kernels.query_back, d_attention, q, keys, do, run.alpha, before, borders, dq, read_sums,
            *constants, LOOKUP=False,
        )  # fmt: skip
    run.over_chunks(
        kernels.key_back, d_attention, d_lookups, q, e, keys, writes, run.alpha, after, ends, dk,
        end_sums, *constants, **kinds,
    )  # fmt: skip
    if call.gate is not None and call.wants_gate:
        d_gate = like(call.gate)
        memory_sums = torch.linalg.vecdot(ends.flatten(2), borders.flatten(2))
        attention, lookups = other_if_none(before, parts.get("attention"), parts.get("lookups"))
        run.over_chunks(
            gate_back, attention, d_attention, lookups, d_lookups, call.gate, after, read_sums,
            lookup_sums, end_sums, memory_sums, d_gate, "C", "P", **kinds,
        )  # fmt: skip
    return dk, de, dq, d_gate


def _by_feature(
    run: Call, call: BackwardArguments, parts: dict[str, Tensor], flows: Flows
) -> tuple[Tensor | None, ...]:
    """Return the same, α being a number for each feature."""
    from fastweights.ops.delta_memory.cuda.vector import channels

    keys, gate, borders = call.keys, call.gate, parts["borders"]
    do, dv, writes, ends, d_attention, d_lookups, kinds = flows
    assert gate is not None
    erase, queries = call.erase, call.queries if kinds["READS"] else None

    def through(x: Tensor, memories: Tensor) -> Tensor:
        found = torch.empty_like(keys)
        run.over_chunks(channels.memory_back, x, memories, found, "K", "V", "C", "BK", "BV", "P")
        return found

    def empty(like: Tensor | None) -> Tensor | None:
        return None if like is None else torch.empty_like(like)

    wanted = gate if call.wants_gate else None
    dk, de, dq, d_gate = torch.empty_like(keys), empty(erase), empty(queries), empty(wanted)
    e, q, *shares = other_if_none(keys, erase, queries, de, dq, d_gate)
    run.over_keys(
        channels.scale_back, keys, e, q, gate, through(writes, ends),
        keys if erase is None else through(dv, borders), keys if queries is None else through(do, borders),
        torch.linalg.vecdot(ends, borders), dk, *shares, "K", "C", "LEVELS", **kinds,
        WANTED=call.wants_gate,
    )  # fmt: skip

    def add(
        x: Tensor, products: Tensor, share: Tensor, gate_share: Tensor | None, **kinds: bool
    ) -> tuple[Tensor, Tensor | None]:
        gradient, gate_gradient = torch.empty_like(share), empty(gate_share)
        run.over_keys(
            channels.pair_back, products, x, keys, gate, share, *other_if_none(share, gate_share),
            gradient, *other_if_none(gradient, gate_gradient), "K", "C", "LEVELS", "P",
            **kinds, WANTED=gate_share is not None,
        )  # fmt: skip
        return gradient, gate_gradient

    if erase is not None and de is not None:
        de, d_gate = add(erase, d_lookups, de, d_gate, LOOKUP=True, BY_KEYS=False)
        dk, d_gate = add(erase, d_lookups, dk, d_gate, LOOKUP=True, BY_KEYS=True)
    if queries is not None and dq is not None:
        dq, d_gate = add(queries, d_attention, dq, d_gate, LOOKUP=False, BY_KEYS=False)
        dk, d_gate = add(queries, d_attention, dk, d_gate, LOOKUP=False, BY_KEYS=True)
    return dk, de, dq, d_gate
