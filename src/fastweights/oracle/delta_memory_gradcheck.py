"""The hand-derived gradients of the memories against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastweights.oracle import Array
from fastweights.oracle.delta_memory import DeltaMemory
from fastweights.oracle.gradcheck import Parameters, Row, check_cases

LEAST_DEVIATION = 0.05
"""Of what a layer norm divides by."""
KINK_MARGIN = 0.01
"""Of each norm ‖F'‖ from the clamp's kink at 1."""


@dataclass(frozen=True)
class Case:
    """One form of the memory."""

    keys: int = 2
    reads: int = 1
    rule: str = "delta"
    gate: str | None = None
    combine: str = "product"
    norm: bool = True
    erase: bool = False
    momentum: bool = False

    def __str__(self) -> str:
        keys = "one key" if self.keys == 1 else f"{self.combine} key"
        gates = {None: "", "tensor": " gated", "channels": " gated by channel", "norm": " clamped"}
        gate = gates[self.gate] + " with erase keys" * self.erase + " with momentum" * self.momentum
        reads = (
            f", {self.reads} read{'s' * (self.reads != 1)}" + " LN" * self.norm
            if self.reads
            else ", not read"
        )
        return f"{self.rule} {keys}{gate}{reads}"

    @property
    def memory(self) -> DeltaMemory:
        """The oracle of this form."""
        return DeltaMemory(self.rule, self.gate == "norm", self.combine, self.norm)


CASES = (
    Case(reads=3, gate="norm"),
    Case(reads=1, gate="norm", norm=False),
    Case(reads=2, gate="norm", combine="concat"),
    Case(reads=2, gate="norm", rule="hebbian"),
    Case(reads=0, gate="norm"),
    Case(reads=2),
    Case(reads=2, gate="tensor"),
    Case(reads=1, gate="tensor", combine="concat", rule="hebbian"),
    Case(keys=1),
    Case(keys=1, gate="tensor"),
    Case(keys=1, gate="norm", norm=False),
    Case(keys=1, gate="tensor", rule="hebbian", norm=False),
    Case(keys=1, gate="channels"),
    Case(keys=1, gate="channels", rule="hebbian", norm=False),
    Case(keys=1, gate="channels", norm=False, erase=True),
    Case(keys=1, gate="tensor", norm=False, erase=True),
    Case(keys=1, erase=True),
    Case(keys=1, momentum=True),
    Case(keys=1, gate="tensor", norm=False, erase=True, momentum=True),
    Case(keys=1, gate="channels", norm=False, momentum=True),
    Case(keys=1, gate="channels", norm=False, erase=True, momentum=True),
    Case(keys=1, gate="tensor", rule="hebbian", momentum=True),
    Case(reads=2, gate="tensor", momentum=True),
    Case(reads=1, combine="concat", momentum=True),
)
"""The forms that are checked."""


def draw(
    case: Case,
    rng: np.random.Generator,
    *,
    time: int,
    sizes: tuple[int, ...],
    scale: float = 1.0,
) -> Parameters:
    """Draw every array argument of the memory for one sequence, by name.

    Args:
        case: the form.
        rng: where the numbers come from.
        time: steps.
        sizes: features of each key factor, then of the values.
        scale: how large values and memory are; the clamp acts always, sometimes or never as it is 10, 0.7 or 0.01.

    Keys are such that β ‖k‖² stays below 2, as a rule: beyond, an unclamped memory grows at every write.
    """
    *key_sizes, size = sizes
    shape = [sum(key_sizes)] if case.combine == "concat" and case.keys == 2 else key_sizes
    point = {
        f"keys[{n}]": np.tanh(rng.standard_normal((time, k))) * np.sqrt(2 / k)
        for n, k in enumerate(key_sizes)
    }
    point["values"] = scale * np.tanh(rng.standard_normal((time, size)))
    point["strength"] = rng.uniform(0.1, 0.9, time)
    if case.gate in ("tensor", "channels"):
        channels = key_sizes if case.gate == "channels" else []
        point["gate"] = rng.uniform(0.5, 1.0, (time, *channels))
    if case.erase:
        point["erase"] = np.tanh(rng.standard_normal((time, *key_sizes))) / np.sqrt(key_sizes)
    if case.reads:
        point["queries[0]"] = rng.standard_normal((time, key_sizes[0]))
    if case.reads and case.keys == 2:
        point["queries[1]"] = rng.standard_normal((time, case.reads, key_sizes[1]))
    point["memory"] = rng.standard_normal((*shape, size)) * (scale / np.sqrt(np.prod(shape) * size))
    if case.momentum:
        point["momentum"] = rng.uniform(0.1, 0.9, time)
        point["velocity"] = rng.permutation(point["memory"].ravel()).reshape(*shape, size)
    return point


def run(case: Case, point: Parameters) -> tuple[list[Array], Callable[..., Parameters]]:
    """Run the oracle at a point of `draw`: what is retrieved, the final memory and perhaps S, and the backward pass."""
    outcome = case.memory.forward(point)
    results = [outcome.retrieved, outcome.memory]
    if outcome.velocity is not None:
        results.append(outcome.velocity)
    return results, partial(case.memory.backward, point, outcome)


def check(seed: int = 0, *, time: int = 3) -> list[Row]:
    """Hold the oracle's gradients against finite differences, from a random memory; see `check_cases`.

    Example:
        >>> max(row["max_relative_error"] for row in check(time=2)) < 1e-8
        True
    """

    def draw_clear(case: Case, rng: np.random.Generator) -> Parameters:
        """Draw until no norm is near the clamp's kink and no LN divides by next to nothing: differences fail there."""
        while True:
            point = draw(case, rng, time=time, sizes=(3, 3) if case.keys == 1 else (3, 2, 3))
            kink, deviation = case.memory.clearance(case.memory.forward(point))
            if kink > KINK_MARGIN and deviation > LEAST_DEVIATION:
                return point

    return check_cases("delta_memory", CASES, seed, draw_clear, run)
