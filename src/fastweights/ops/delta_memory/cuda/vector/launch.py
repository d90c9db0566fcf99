"""How the kernels are started: sizes of tiles, and what the forward leaves for the backward in one buffer."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.layout import offsets, round_up
from fastweights.kernels.triton.launch import ALIGNMENT, blocks, launch, precision, side
from fastweights.kernels.types import Size

BLOCK = 32
"""Of keys or values that a kernel multiplies at once."""
VALUES = 16
"""Of a program that holds F over all keys."""


class Arguments(NamedTuple):
    """Inputs of a forward; what is None is not there.

    Attributes:
        keys: k [rows, time, K].
        values: β v [rows, time, V].
        gate: α [rows, time].
        erase: e [rows, time, K], what a write takes away is F e.
        queries: q [rows, time, K].
        memory: F before the first step, [rows, K, V].
    """

    keys: Tensor
    values: Tensor
    gate: Tensor | None
    erase: Tensor | None
    queries: Tensor | None
    memory: Tensor | None


class BackwardArguments(NamedTuple):
    """Inputs of a backward: the gradients of the results, what the forward left, and what is wanted.

    `values` are those of a memory that erases nothing, which writes them.
    """

    gradient: Tensor | None
    final_gradient: Tensor | None
    saved: Tensor
    keys: Tensor
    values: Tensor | None
    gate: Tensor | None
    erase: Tensor | None
    queries: Tensor | None
    value_size: Size
    has_memory: bool
    wants_gate: bool


def run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is read [rows, time, V] (nothing without queries), the last F, and `saved`.

    There are no chance bits between the parts of `saved` where `clean`.
    """
    from fastweights.ops.delta_memory.cuda.vector import forward as kernels

    keys, values, gate, erase, queries, memory = call
    run = Call(keys, values.shape[2], gate)
    saved = (keys.new_zeros if clean else keys.new_empty)(saved_size(call))
    parts = _parts(saved, _shapes(call, run.V))
    before, after, borders = parts["before"], parts["after"], parts["borders"]
    writes = parts.get("writes", values)
    final = keys.new_empty(run.rows, run.K, run.V)
    run.over_chunks(kernels.decay, run.alpha, before, after, "C", "GATED")
    if erase is not None:
        run.multiply(erase, keys, parts["lookups"])
        run.over_chunks(
            kernels.prepare, parts["lookups"], erase, values, run.alpha, before, parts["inverse"],
            parts["W"], writes, "K", "V", "C", "LEVELS", "BK", "BV", "GATED", "P",
        )  # fmt: skip
    run.over_values(
        kernels.states, keys, parts.get("W", keys), writes, before, after,
        keys if memory is None else memory, writes, borders, final, ERASE=erase is not None,
        HAS_MEMORY=memory is not None,
    )  # fmt: skip
    outputs = keys.new_empty((run.rows, run.time, run.V) if queries is not None else 0)
    if queries is not None:
        run.multiply(queries, keys, parts["attention"])
        run.over_chunks(
            kernels.read, parts["attention"], queries, writes, run.alpha, before, borders, outputs,
            "K", "V", "C", "BK", "BV", "GATED", "P",
        )  # fmt: skip
    return outputs, final, saved


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the tensors of `Arguments`, None for what was not given or is not wanted."""
    from fastweights.ops.delta_memory.cuda.vector import backward as kernels
    from fastweights.ops.delta_memory.cuda.vector.gates import gate_back

    keys, erase, queries = call.keys, call.erase, call.queries
    run = Call(keys, call.value_size, call.gate)
    parts = _parts(call.saved, _shapes(call, run.V))
    before, after, borders = parts["before"], parts["after"], parts["borders"]
    writes = parts.get("writes", keys if call.values is None else call.values)
    kinds = {"ERASE": erase is not None, "READS": call.gradient is not None}
    q, e, do = _or(keys, queries, erase, call.gradient)
    alpha, spare = run.alpha, before
    new, like = keys.new_empty, torch.empty_like
    du, ends, memory_gradient = (
        new(run.rows, run.time, run.V),
        like(borders),
        new(run.rows, run.K, run.V),
    )
    attention, lookups = _or(spare, parts.get("attention"), parts.get("lookups"))
    d_attention, d_lookups = like(attention), like(lookups)
    if kinds["READS"]:
        run.multiply(do, writes, d_attention)
        run.over_chunks(kernels.read_back, attention, do, alpha, du, "V", "C", "BV", "GATED", "P")
    run.over_values(
        kernels.states_back, q, keys, parts.get("W", keys), do, before, after,
        *_or(keys, call.final_gradient), du, ends, memory_gradient, **kinds,
        HAS_FINAL=call.final_gradient is not None,
    )  # fmt: skip
    query_constants = ("K", "V", "C", "BK", "BV", "GATED", "P")
    dv, de, dq = du, None, None if queries is None else torch.zeros_like(queries)
    lookup_sums, read_sums, end_sums = like(before), like(before), like(before)
    if erase is not None:
        dv, de = like(du), like(e)
        run.over_chunks(kernels.writes_back, parts["inverse"], du, dv, "V", "C", "BV", "P")
        run.multiply(dv, writes, d_lookups)
        run.over_chunks(
            kernels.query_back, d_lookups, e, keys, dv, alpha, before, borders, de, lookup_sums,
            *query_constants, LOOKUP=True,
        )  # fmt: skip
    if dq is not None and kinds["READS"]:
        run.over_chunks(
            kernels.query_back, d_attention, q, keys, do, alpha, before, borders, dq, read_sums,
            *query_constants, LOOKUP=False,
        )  # fmt: skip
    dk, d_gate = like(keys), None
    run.over_chunks(
        kernels.key_back, d_attention, d_lookups, q, e, keys, writes, alpha, after, ends, dk, end_sums,
        *query_constants, **kinds,
    )  # fmt: skip
    if call.gate is not None and call.wants_gate:
        d_gate = like(call.gate)
        memory_sums = torch.linalg.vecdot(ends.flatten(2), borders.flatten(2))
        run.over_chunks(
            gate_back, attention, d_attention, lookups, d_lookups, call.gate, after, read_sums, lookup_sums,
            end_sums, memory_sums, d_gate, "C", "P", **kinds,
        )  # fmt: skip
    return dk, dv, d_gate, de, dq, memory_gradient if call.has_memory else None


def steps_of(keys: Tensor, V: Size) -> int:
    """Return the steps of a chunk: of more, tiles over all keys do not fit the registers, or the shared memory."""
    small = keys.shape[2] <= 64 and V <= 64 and keys.dtype == torch.float32
    return 32 if small else 16


class Call:
    """What the launches of one direction have in common.

    Attributes:
        rows, time, K, V: sizes.
        alpha: the gate, or any tensor in its place.
    """

    def __init__(self, keys: Tensor, V: int, gate: Tensor | None) -> None:
        self.rows, self.time, self.K = keys.shape
        self.V, self.alpha = V, keys if gate is None else gate
        steps = steps_of(keys, V)
        self.chunks = blocks(self.time, steps)
        self._constants = {
            "K": self.K,
            "V": V,
            "C": steps,
            "LEVELS": steps.bit_length() - 1,
            "BK": min(BLOCK, side(self.K)),
            "BV": min(BLOCK, side(V)),
            "GATED": gate is not None,
            "P": precision(keys.dtype),
        }

    def over_chunks(self, kernel: Any, *given: Tensor | str, **constants: Any) -> None:
        """Start a kernel with a program for each chunk of each row; names are those of constants."""
        tensors = [x for x in given if isinstance(x, Tensor)]
        named = {x: self._constants[x] for x in given if isinstance(x, str)}
        launch(kernel, (self.chunks, self.rows), *tensors, self.time, **named, **constants)

    def over_values(self, kernel: Any, *tensors: Tensor, **constants: Any) -> None:
        """Start a kernel with a program for each block of values of each row, that holds F over all keys."""
        width = min(VALUES, side(self.V))
        named = {name: self._constants[name] for name in ("K", "V", "C", "P")}
        grid = (blocks(self.V, width), self.rows)
        constants |= named | {"SIZE": side(self.K), "BV": width}
        stages = 1 if named["P"] == "ieee" else 3
        launch(kernel, grid, *tensors, self.time, stages=stages, **constants)

    def multiply(self, a: Tensor, b: Tensor, products: Tensor) -> None:
        """Start `multiply_steps`."""
        from fastweights.ops.delta_memory.cuda.vector.tiles import multiply_steps

        size = a.shape[2]
        width = {"N": size, "B": min(BLOCK, side(size))}
        self.over_chunks(multiply_steps, a, b, products, "C", "P", **width)


def saved_size(call: Arguments) -> Size:
    """Return the numbers in `saved`."""
    return _places(_shapes(call, call.values.shape[2]))[1]


def empty_gradients(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return tensors of the shapes of the gradients."""
    rows, time, K = call.keys.shape
    new = call.keys.new_empty
    return (
        new(call.keys.shape),
        new(rows, time, call.value_size),
        new(rows, time) if call.gate is not None and call.wants_gate else None,
        None if call.erase is None else new(call.erase.shape),
        None if call.queries is None else new(call.queries.shape),
        new(rows, K, call.value_size) if call.has_memory else None,
    )


def _shapes(call: Arguments | BackwardArguments, V: Size) -> dict[str, tuple[Size, ...]]:
    """Return the shapes of what the forward leaves.

    `before`, `after`, F at the start of every chunk; q kᵀ, where something is read; e kᵀ, u, (I + L)⁻¹ and W, where
    something is erased.
    """
    rows, time, K = call.keys.shape
    steps = steps_of(call.keys, V)
    chunks = blocks(time, steps)
    shapes: dict[str, tuple[Size, ...]] = {
        "before": (rows, chunks, steps),
        "after": (rows, chunks, steps),
        "borders": (rows, chunks, K, V),
    }
    square = (rows, chunks, steps, steps)
    if call.queries is not None:
        shapes["attention"] = square
    if call.erase is not None:
        shapes |= {
            "lookups": square,
            "inverse": square,
            "writes": (rows, time, V),
            "W": (rows, time, K),
        }
    return shapes


def _places(shapes: dict[str, tuple[Size, ...]]) -> tuple[dict[str, Size], Size]:
    return offsets({name: round_up(math.prod(shape), ALIGNMENT) for name, shape in shapes.items()})


def _parts(saved: Tensor, shapes: dict[str, tuple[Size, ...]]) -> dict[str, Tensor]:
    places = _places(shapes)[0]
    return {
        name: saved[places[name] :][: math.prod(shape)].view(shape)
        for name, shape in shapes.items()
    }


def _or(other: Tensor, *tensors: Tensor | None) -> list[Tensor]:
    """Return tensors, another in the place of those that there are not: no kernel reads it."""
    return [other if x is None else x for x in tensors]
