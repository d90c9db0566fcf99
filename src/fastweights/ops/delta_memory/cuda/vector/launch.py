"""How the kernels are started: sizes of tiles, and the launches of a forward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fastweights.kernels.triton.launch import blocks, launch, precision, side
from fastweights.ops.delta_memory.cuda.vector.plan import (
    Arguments,
    by_feature,
    parts_of,
    saved_size,
    steps_of,
)

BLOCK = 32
"""Of keys or values that a kernel multiplies at once."""
VALUES = 16
"""Of a program that holds F over all keys."""
FEATURES = 16
"""Of a key, each with a decay of its own, that a kernel multiplies at once: of more the registers do not suffice."""


def run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is read [rows, time, V] (nothing without queries), the last F, and `saved`.

    There are no chance bits between the parts of `saved` where `clean`.
    """
    from fastweights.ops.delta_memory.cuda.vector import forward as kernels

    keys, values, gate, erase, queries, memory = call
    run = Call(keys, values.shape[2], gate)
    saved = (keys.new_zeros if clean else keys.new_empty)(saved_size(call))
    parts = parts_of(saved, call, run.V)
    before, after, borders = parts["before"], parts["after"], parts["borders"]
    writes = parts.get("writes", values)
    final = keys.new_empty(run.rows, run.K, run.V)
    run.over_chunks(kernels.decay, run.alpha, before, after, "C", "GATED")
    if run.channels is None:
        for x, products in ((erase, "lookups"), (queries, "attention")):
            if x is not None:
                run.multiply(x, keys, parts[products])
    else:
        keys, erase, queries = _with_decays(run, call, run.channels, parts)
    if erase is not None:
        run.over_chunks(
            kernels.prepare, parts["lookups"], erase, values, run.alpha, before, parts["inverse"],
            parts["W"], writes, "K", "V", "C", "LEVELS", "BK", "BV", "GATED", "P",
        )  # fmt: skip
    run.over_values(
        kernels.states, keys, parts.get("W", keys), writes, before, after, parts.get("totals", before),
        keys if memory is None else memory, writes, borders, final, ERASE=erase is not None,
        HAS_MEMORY=memory is not None,
    )  # fmt: skip
    outputs = keys.new_empty((run.rows, run.time, run.V) if queries is not None else 0)
    if queries is not None:
        run.over_chunks(
            kernels.read, parts["attention"], queries, writes, run.alpha, before, borders, outputs,
            "K", "V", "C", "BK", "BV", "GATED", "P",
        )  # fmt: skip
    return outputs, final, saved


def _with_decays(
    run: Call, call: Arguments, gate: Tensor, parts: dict[str, Tensor]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Leave the products that have the decays in them; return after ∘ k, Γ ∘ e and Γ ∘ q."""
    from fastweights.ops.delta_memory.cuda.vector import channels

    keys, erase, queries = call.keys, call.erase, call.queries
    constants = ("K", "C", "LEVELS", "P")
    if erase is not None:
        run.over_chunks(
            channels.pair, erase, keys, gate, parts["lookups"], *constants, BK=FEATURES, LOOKUP=True
        )
    if queries is not None:
        run.over_chunks(
            channels.pair, queries, keys, gate, parts["attention"], *constants, BK=FEATURES, LOOKUP=False
        )  # fmt: skip
    k, q = parts["keys_behind"], parts.get("queries_up")
    e = None if erase is None else torch.empty_like(erase)
    run.over_keys(
        channels.scale, keys, *other_if_none(keys, erase, queries), gate, k, *other_if_none(k, e, q),
        parts["totals"], "K", "C", ERASE=e is not None, READS=q is not None,
    )  # fmt: skip
    return k, e, q


class Call:
    """What the launches of one direction have in common.

    Attributes:
        rows, time, K, V: sizes.
        alpha: the gate where it is one a step, or any tensor in its place.
        channels: the gate where it is one for each feature; the kernels that both kinds share then run as without.
    """

    def __init__(self, keys: Tensor, V: int, gate: Tensor | None) -> None:
        self.rows, self.time, self.K = keys.shape
        self.V, self.channels = V, gate if by_feature(gate) else None
        gated = gate is not None and self.channels is None
        self.alpha = gate if gate is not None and gated else keys
        steps = steps_of(keys, V)
        self.chunks = blocks(self.time, steps)
        self._constants = {
            "K": self.K,
            "V": V,
            "C": steps,
            "LEVELS": steps.bit_length() - 1,
            "BK": min(BLOCK, side(self.K)),
            "BV": min(BLOCK, side(V)),
            "GATED": gated,
            "P": precision(keys.dtype),
        }

    def over_chunks(self, kernel: Any, *given: Tensor | str, **constants: Any) -> None:
        """Start a kernel with a program for each chunk of each row; names are those of constants."""
        self._start(kernel, (self.chunks, self.rows), given, constants)

    def over_keys(self, kernel: Any, *given: Tensor | str, **constants: Any) -> None:
        """Start a kernel with a program for each `FEATURES` of the key, of each chunk of each row."""
        grid = (self.chunks, self.rows, blocks(self.K, FEATURES))
        self._start(kernel, grid, given, constants | {"BK": FEATURES})

    def _start(
        self, kernel: Any, grid: tuple[int, ...], given: Sequence[Tensor | str], constants: dict[str, Any]
    ) -> None:  # fmt: skip
        tensors = [x for x in given if isinstance(x, Tensor)]
        named = {x: self._constants[x] for x in given if isinstance(x, str)}
        launch(kernel, grid, *tensors, self.time, **named, **constants)

    def over_values(self, kernel: Any, *tensors: Tensor, **constants: Any) -> None:
        """Start a kernel with a program for each block of values of each row, that holds F over all keys."""
        width = min(VALUES, side(self.V))
        named = {name: self._constants[name] for name in ("K", "V", "C", "P")}
        grid = (blocks(self.V, width), self.rows)
        constants |= named | {"SIZE": side(self.K), "BV": width}
        constants["CHANNELS"] = self.channels is not None
        stages = 1 if named["P"] == "ieee" else 3
        launch(kernel, grid, *tensors, self.time, stages=stages, **constants)

    def multiply(self, a: Tensor, b: Tensor, products: Tensor) -> None:
        """Start `multiply_steps`."""
        from fastweights.ops.delta_memory.cuda.vector.tiles import multiply_steps

        size = a.shape[2]
        width = {"N": size, "B": min(BLOCK, side(size))}
        self.over_chunks(multiply_steps, a, b, products, "C", "P", **width)


def other_if_none(other: Tensor, *tensors: Tensor | None) -> list[Tensor]:
    """Return tensors, another in the place of those that there are not: no kernel reads it."""
    return [other if x is None else x for x in tensors]
