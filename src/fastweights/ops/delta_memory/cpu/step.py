"""One step without a gradient, F read once and written once: what decoding does.

    f = α F k      u = β (v − f)  (delta rule)  or  β v  (Hebb's)      F' = α F + k uᵀ      F' q = α F q + ⟨k, q⟩ u

F k and F q come from one pass over a block of columns, which the second pass finds in the nearest cache.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba

from fastweights.kernels.blocks import dot_rows, fma_rows, load_rows, scale_rows, store_rows, zeros
from fastweights.kernels.compile import helper, kernel
from fastweights.kernels.record import reader
from fastweights.kernels.simd import (
    at,
    lane_count,
    offset,
    pointer,
    scalar,
    splat,
    total,
)
from fastweights.kernels.types import Block, Pointer, Real, Record, Vector


class StepPlan(NamedTuple):
    """Sizes, flags, and scalars from a row to the next of what may be strided; sizes of values are whole vectors."""

    rows: int
    key: int
    value: int
    delta: int
    gated: int
    reads: int
    unit_keys: int
    key_row: int
    query_row: int
    value_row: int
    strength_row: int
    gate_row: int


class StepAddresses(NamedTuple):
    """Where the tensors of a step lie; 0 where there is none."""

    key: int
    values: int
    strength: int
    query: int
    memory: int
    gate: int
    retrieved: int
    final: int


read_plan = reader(StepPlan._fields)
read_addresses = reader(StepAddresses._fields)


@helper
def _run_rows(
    plan_at: int, addresses_at: int, worker: int, workers: int, unit_eps: Real, query_scale: Real
) -> int:  # fmt: skip
    """Run every workers-th row; returns how many have numbers that are not finite."""
    plan, tensors = read_plan(plan_at), read_addresses(addresses_at)
    area, bad = plan.key * plan.value, 0
    for row in range(worker, plan.rows, workers):
        key = offset(pointer(tensors.key, unit_eps), row * plan.key_row)
        query = key
        if plan.reads:
            query = offset(pointer(tensors.query, unit_eps), row * plan.query_row)
        keys, queries, both = scalar(unit_eps, 0), scalar(unit_eps, 0), scalar(unit_eps, 0)
        for b in range(plan.key):
            k, q = at(key, b), at(query, b)
            keys, queries, both = keys + k * k, queries + q * q, both + k * q
        of_key, of_query = scalar(unit_eps, 1), query_scale
        if plan.unit_keys:
            of_key = of_key / math.sqrt(keys + unit_eps)
            of_query = of_query / math.sqrt(queries + unit_eps)
        alpha = scalar(unit_eps, 1)
        if plan.gated:
            alpha = at(pointer(tensors.gate, unit_eps), row * plan.gate_row)
        beta = at(pointer(tensors.strength, unit_eps), row * plan.strength_row)
        values = offset(pointer(tensors.values, unit_eps), row * plan.value_row)
        memory = offset(pointer(tensors.memory, unit_eps), row * area)
        final = offset(pointer(tensors.final, unit_eps), row * area)
        retrieved = offset(pointer(tensors.retrieved, unit_eps), row * plan.value)
        both *= of_key * of_query
        column, lanes = 0, lane_count(key)
        check = splat(scalar(unit_eps, 0))
        while column + 4 * lanes <= plan.value:
            check = _columns(
                plan, key, query, values, memory, final, retrieved, column, alpha, beta, of_key,
                of_query, both, check, zeros(key, 4),
            )  # fmt: skip
            column += 4 * lanes
        while column < plan.value:
            check = _columns(
                plan, key, query, values, memory, final, retrieved, column, alpha, beta, of_key,
                of_query, both, check, zeros(key, 1),
            )  # fmt: skip
            column += lanes
        if total(check) != 0:
            bad += 1
    return bad


@helper
def _columns(
    plan: Record, key: Pointer, query: Pointer, values: Pointer, memory: Pointer, final: Pointer,
    retrieved: Pointer, column: int, alpha: Real, beta: Real, of_key: Real, of_query: Real, both: Real,
    check: Vector, zero: Block,
) -> Vector:  # fmt: skip
    """Run a block of columns; what is added to `check` is 0, or NaN where a number is not finite."""
    lanes, value = lane_count(key), plan.value
    found, read = zero, zero
    for b in range(plan.key):
        row = load_rows(zero, memory, b * value + column, lanes)
        found = fma_rows(found, row, splat(at(key, b)))
        read = fma_rows(read, row, splat(at(query, b)))
    u = load_rows(zero, values, column, lanes)
    if plan.delta:
        u = fma_rows(u, found, splat(-alpha * of_key))
    u = scale_rows(u, splat(beta))
    if plan.reads:
        read = fma_rows(scale_rows(read, splat(alpha * of_query)), u, splat(both))
        store_rows(read, retrieved, column, lanes)
        check = dot_rows(read, zero, check)
    alphas = splat(alpha)
    for b in range(plan.key):
        row = scale_rows(load_rows(zero, memory, b * value + column, lanes), alphas)
        row = fma_rows(row, u, splat(of_key * at(key, b)))
        store_rows(row, final, b * value + column, lanes)
        check = dot_rows(row, zero, check)
    return check


@kernel
def step(plan_at: int, addresses_at: int, workers: int, unit_eps: Real, query_scale: Real) -> int:
    """Run the step on one thread."""
    return _run_rows(plan_at, addresses_at, 0, workers, unit_eps, query_scale)


@kernel(parallel=True)
def step_parallel(
    plan_at: int, addresses_at: int, workers: int, unit_eps: Real, query_scale: Real
) -> int:  # fmt: skip
    """Run the step on `workers` threads."""
    bad = 0
    for worker in numba.prange(workers):
        bad += _run_rows(plan_at, addresses_at, worker, workers, unit_eps, query_scale)
    return bad
