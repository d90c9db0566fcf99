"""The reads of a chunk, in blocks of the steps that read.

n⁰ = n,  nⁱ = LN(F (nⁱ⁻¹ ⊗ eⁱ))        one factor: LN(F q);  concatenated: LN(F [nⁱ⁻¹; eⁱ])
"""

from __future__ import annotations

from fastweights.kernels.compile import helper
from fastweights.kernels.lines import clear
from fastweights.kernels.simd import at, offset, put, scalar
from fastweights.kernels.types import Pointer, Real, Record
from fastweights.ops.delta_memory.cpu.attention import attend, decay_coefficients, score, weigh
from fastweights.ops.delta_memory.cpu.contract import contract
from fastweights.ops.delta_memory.cpu.lines import (
    copy_lines,
    gather,
    padded,
    scale_lines,
    scatter,
    transpose,
)
from fastweights.ops.delta_memory.cpu.norm import normalise


@helper
def found_at(plan: Record, saved: Pointer, chunk: int, block: int, read: int) -> Pointer:
    """Where what a read of a block found is saved."""
    place = (chunk * plan.blocks + block) * plan.reads + read
    return offset(saved, plan.found + place * plan.value_pad * plan.width)


@helper
def scale_at(plan: Record, saved: Pointer, chunk: int, block: int, read: int) -> Pointer:
    """Where the 1/σ of a read of a block are saved."""
    place = (chunk * plan.blocks + block) * plan.reads + read
    return offset(saved, plan.scale + place * plan.width)


@helper
def open_block(plan: Record, work: Pointer, asked: Pointer, many: int) -> int:
    """Set the last step that each lane sees, and the coefficients; returns how many steps the block sees."""
    columns = padded(plan, many)
    depth = int(at(asked, many - 1)) + 1
    for j in range(columns):
        last = scalar(at(asked, 0), -1)
        if j < many:
            last = at(asked, j)
        put(work, plan.instants + j, last)
    decay_coefficients(plan, work, depth, columns)
    return depth


@helper
def early_depth(plan: Record, asked: Pointer, many: int) -> int:
    """How many steps the first unit of lanes sees."""
    return int(at(asked, min(many, plan.unit) - 1)) + 1


@helper
def load_query(
    plan: Record, saved: Pointer, work: Pointer, chunk: int, block: int, read: int, asked: Pointer,
    many: int, chain: Pointer, query: Pointer,
) -> Pointer:  # fmt: skip
    """Bring the query factors of a read into lines; returns the outer one. Tensors start at the chunk."""
    width, columns = plan.width, padded(plan, many)
    start = offset(work, plan.query_outer_lines)
    size = plan.outer + plan.head
    if size:
        if read == 0:
            steps = offset(work, plan.query_outer_steps)
            gather(plan, chain, size, size, asked, many, steps, plan.chain_pad, 0)
            transpose(steps, plan.chain_pad, start, width, columns, plan.chain_pad)
        else:
            start = found_at(plan, saved, chunk, block, read - 1)
    tail = plan.inner - plan.head
    steps, lines = offset(work, plan.query_inner_steps), offset(work, plan.query_inner_lines)
    gather(
        plan, offset(query, read * tail), plan.reads * tail, tail, asked, many, steps,
        plan.inner_pad, plan.head,
    )  # fmt: skip
    transpose(steps, plan.inner_pad, lines, width, columns, plan.inner_pad)
    if plan.head:
        copy_lines(start, width, lines, width, plan.head, columns)
    return start


@helper
def read_chunk(
    plan: Record, saved: Pointer, work: Pointer, chunk: int, many: int, memory: Pointer,
    occupied: int, chain: Pointer, query: Pointer, retrieved: Pointer, eps: Real,
) -> None:  # fmt: skip
    """Read at the `many` steps asked for, and save what is found. Tensors start at the chunk."""
    width, value = plan.width, plan.value_pad
    result, inner = offset(work, plan.result_lines), offset(work, plan.query_inner_lines)
    for b in range(0, many, width):
        block, lanes = b // width, min(width, many - b)
        columns = padded(plan, lanes)
        asked = offset(work, plan.asked + b)
        depth = open_block(plan, work, asked, lanes)
        early, rows = padded(plan, early_depth(plan, asked, lanes)), padded(plan, depth)
        for read in range(plan.reads):
            outer = load_query(
                plan, saved, work, chunk, block, read, asked, lanes, chain, query
            )  # fmt: skip
            if occupied:
                contract(plan, memory, outer, inner, width, result, lanes)
                scale_lines(result, width, value, columns, offset(work, plan.start))
            else:
                clear(result, value * width)
            score(plan, work, outer, inner, width, early, rows, columns)
            weigh(plan, work, 0, early, depth, columns, 1)
            attend(plan, work, early, depth, columns)
            found = result
            if plan.keeps:
                found = found_at(plan, saved, chunk, block, read)
            if plan.norm:
                clear(offset(found, plan.value * width), (value - plan.value) * width)
                scale = scale_at(plan, saved, chunk, block, read)
                normalise(result, width, plan.value, columns, eps, found, scale)
            elif plan.keeps:
                copy_lines(result, width, found, width, value, columns)
            if read == plan.reads - 1:
                steps = offset(work, plan.result_steps)
                transpose(found, width, steps, value, value, columns)
                scatter(steps, value, asked, lanes, retrieved, plan.value, plan.value)
