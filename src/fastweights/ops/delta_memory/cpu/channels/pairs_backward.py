"""From the gradients of the pairs of a chunk to those of keys, erase keys, queries and decays."""

from __future__ import annotations

from fastweights.kernels.blocks import zeros
from fastweights.kernels.compile import helper
from fastweights.kernels.simd import at, fma, lane_count, load, offset, splat, store
from fastweights.kernels.types import Pointer, Record
from fastweights.ops.delta_memory.cpu.channels.plan import HALF, STEPS
from fastweights.ops.delta_memory.cpu.product import product


@helper
def add_products(left: Pointer, right: Pointer, out: Pointer, size: int) -> None:
    """out += left right, number by number."""
    for k in range(0, size, lane_count(left)):
        store(out, k, fma(load(left, k), load(right, k), load(out, k)))


@helper
def pairs_backward(plan: Record, layout: Record, work: Pointer, count: int) -> None:
    """Add the gradients that come through the pairs."""
    for first in range(0, count, HALF):
        _near_backward(plan, layout, work, first, min(HALF, count - first))
    if count <= HALF:
        return
    room = plan.key_pad
    size, half = HALF * room, HALF * room
    columns, by_columns = offset(work, plan.columns), offset(work, layout.more_rows)
    add = 0
    if plan.erases:
        _far_backward(
            work, room, layout.erase_pairs, plan.erase_rows, plan.erase + half, plan.before,
            layout.erase + half, layout.before, columns, by_columns, offset(work, layout.rows), add,
        )  # fmt: skip
        add = 1
    if plan.reads:
        _far_backward(
            work, room, layout.query_pairs, plan.query_rows, plan.query + half, plan.before,
            layout.query + half, layout.before, columns, by_columns, offset(work, layout.rows), add,
        )  # fmt: skip
        add = 1
    if add:
        add_products(by_columns, offset(work, plan.behind), offset(work, layout.keys), size)
        add_products(by_columns, offset(work, plan.keys), offset(work, layout.behind), size)


@helper
def _far_backward(
    work: Pointer, room: int, pairs: int, rows: int, source: int, before: int, target: int,
    by_before: int, columns: Pointer, by_columns: Pointer, by_rows: Pointer, add: int,
) -> None:  # fmt: skip
    """The product between the halves: to the rows' keys and decays, and to the columns."""
    block, size = offset(work, pairs + HALF * STEPS), HALF * room
    product(block, STEPS, 1, columns, room, HALF, by_rows, room, HALF, room, 0)
    product(block, 1, STEPS, offset(work, rows), room, HALF, by_columns, room, HALF, room, add)
    add_products(by_rows, offset(work, before), offset(work, target), size)
    add_products(by_rows, offset(work, source), offset(work, by_before), size)


@helper
def _near_backward(
    plan: Record, layout: Record, work: Pointer, first: int, count: int
) -> None:  # fmt: skip
    """The pairs within a half, features as lanes: every z_t = k_i a_{i+1} … a_t is made again."""
    room, lanes = plan.key_pad, lane_count(work)
    shift = first * room
    keys, gate = offset(work, plan.keys + shift), offset(work, plan.gate + shift)
    erase, query = offset(work, plan.erase + shift), offset(work, plan.query + shift)
    by_keys, by_gate = offset(work, layout.keys + shift), offset(work, layout.gate + shift)
    by_erase, by_query = offset(work, layout.erase + shift), offset(work, layout.query + shift)
    by_erase_pairs = offset(work, layout.erase_pairs + first * STEPS + first)
    by_query_pairs = offset(work, layout.query_pairs + first * STEPS + first)
    held = offset(work, plan.product)
    zero = zeros(work, 1)[0]
    for k in range(0, room, lanes):
        for i in range(count):
            z = load(keys, i * room + k)
            store(held, 0, z)
            for t in range(i + 1, count):
                z = z * load(gate, t * room + k)
                store(held, (t - i) * lanes, z)
            flow = zero
            for t in range(count - 1, i - 1, -1):
                place = t * room + k
                z = load(held, (t - i) * lanes)
                if t < count - 1:
                    flow = flow * load(gate, place + room)
                if plan.reads:
                    weight = splat(at(by_query_pairs, t * STEPS + i))
                    store(by_query, place, fma(weight, z, load(by_query, place)))
                    flow = fma(weight, load(query, place), flow)
                if t > i:
                    if plan.erases:
                        weight = splat(at(by_erase_pairs, t * STEPS + i))
                        store(by_erase, place, fma(weight, z, load(by_erase, place)))
                        flow = fma(weight, load(erase, place), flow)
                    earlier = load(held, (t - i - 1) * lanes)
                    store(by_gate, place, fma(flow, earlier, load(by_gate, place)))
            store(by_keys, i * room + k, load(by_keys, i * room + k) + flow)


@helper
def decays_backward(plan: Record, layout: Record, work: Pointer) -> None:
    """From the gradients of the products of decays to those of the decays."""
    room = plan.key_pad
    for k in range(0, room, lane_count(work)):
        _up_backward(work, room, k, layout.up_to, plan.up_to, plan.gate, layout.gate, 0, STEPS)
        _down_backward(work, room, k, layout.after, plan.after, plan.gate, layout.gate, STEPS)
        _up_backward(
            work, room, k, layout.before, plan.before, plan.gate, layout.gate, HALF, HALF
        )  # fmt: skip
        _down_backward(work, room, k, layout.behind, plan.behind, plan.gate, layout.gate, HALF)


@helper
def _up_backward(
    work: Pointer, room: int, k: int, gradient: int, products: int, gate: int, target: int,
    first: int, count: int,
) -> None:  # fmt: skip
    """p_t = p_{t-1} a_t from step `first` on, the last step first."""
    flow = zeros(work, 1)[0]
    for t in range(count - 1, -1, -1):
        place, step = t * room + k, (first + t) * room + k
        flow = flow + load(work, gradient + place)
        if t > 0:
            earlier = load(work, products + place - room)
            store(work, target + step, fma(flow, earlier, load(work, target + step)))
            flow = flow * load(work, gate + step)
        else:
            store(work, target + step, flow + load(work, target + step))


@helper
def _down_backward(
    work: Pointer, room: int, k: int, gradient: int, products: int, gate: int, target: int,
    count: int,
) -> None:  # fmt: skip
    """p_t = p_{t+1} a_{t+1}, the first step first."""
    flow = zeros(work, 1)[0]
    for t in range(count - 1):
        place = t * room + k
        later = place + room
        flow = flow + load(work, gradient + place)
        earlier = load(work, products + later)
        store(work, target + later, fma(flow, earlier, load(work, target + later)))
        flow = flow * load(work, gate + later)
