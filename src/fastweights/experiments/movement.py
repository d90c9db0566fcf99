"""What memories move: bytes read and written for a sequence, and how deep in the memory hierarchy they lie.

One sequence, forward, batch 1, float32, each recurrence as a plain program over its arrays, element by element. A read
costs the square root of its LRU stack distance: of how many distinct bytes were touched since that one was last. So a
byte costs as much as a cache just large enough for it is wide, and no cache's size has to be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from fastweights.experiments.demonstration import Case, Demonstration, Measured
from fastweights.io.showing import shown

BYTES = 4
"""Of a float32."""
SIZES = ((11, 50), (64, 50), (11, 128), (64, 128))
"""Steps T and hidden units H of the table."""
LENGTHS = (4, 8, 16, 32, 64, 128)
"""Steps in the picture."""


class Accesses(NamedTuple):
    """Which element is touched, in order, and whether it is read."""

    element: Int64[np.ndarray, " accesses"]
    read: Bool[np.ndarray, " accesses"]


class Movement(NamedTuple):
    """What a program moves: bytes read and written, and the cost of its reads, Σ √ distance over every byte."""

    bytes: int
    cost: float


class Machine:
    """Arrays of elements, and the accesses to them so far.

    Whatever is allocated lies in memory from the start, the first allocated deepest.
    """

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[Accesses] = []

    def array(self, *shape: int) -> Int64[np.ndarray, ...]:
        """Allocate an array, as the numbers of its elements."""
        count = int(np.prod(shape))
        self.size += count
        return np.arange(self.size - count, self.size).reshape(shape)

    def touch(self, *elements: Int64[np.ndarray, ...], write: bool = False) -> None:
        """Touch arrays of one shape side by side: the first of each, then the second of each …"""
        order = np.stack([each.ravel() for each in np.broadcast_arrays(*elements)], 1).ravel()
        self._parts.append(Accesses(order, np.full(order.shape, not write)))

    def update(self, target: Int64[np.ndarray, ...], *others: Int64[np.ndarray, ...]) -> None:
        """Read each element of an array with what stands beside it, and write it back."""
        sides = [each.ravel() for each in np.broadcast_arrays(target, *others)]
        order = np.stack([*sides, sides[0]], 1)
        read = np.ones(order.shape, dtype=bool)
        read[:, -1] = False
        self._parts.append(Accesses(order.ravel(), read.ravel()))

    def matvec(
        self,
        matrix: Int64[np.ndarray, "rows columns"],
        vector: Int64[np.ndarray, " columns"],
        out: Int64[np.ndarray, " rows"],
    ) -> None:
        """Multiply row by row: a row with the vector, then the sum is written."""
        rows, columns = matrix.shape
        order = np.empty((rows, 2 * columns + 1), dtype=np.int64)
        order[:, 0:-1:2], order[:, 1:-1:2], order[:, -1] = matrix, vector, out
        read = np.ones(order.shape, dtype=bool)
        read[:, -1] = False
        self._parts.append(Accesses(order.ravel(), read.ravel()))

    def movement(self) -> Movement:
        """Return what all accesses come to."""
        start = np.arange(self.size)  # lies there before the program begins
        element = np.concatenate([start, *(part.element for part in self._parts)])
        read = np.concatenate([start < 0, *(part.read for part in self._parts)])
        depth = stack_distances(element)[read]
        # The bytes of an element are read in turn: each lies as deep as the whole elements above it, and itself.
        cost = BYTES * np.sqrt(BYTES * depth).sum()
        return Movement(BYTES * (len(element) - self.size), float(cost))


def stack_distances(element: Int64[np.ndarray, " accesses"]) -> Int64[np.ndarray, " accesses"]:
    """Return for each access how many distinct elements were touched since the last one to its own, itself among them.

    An element's first access counts all that were touched before, and itself.

    Example:
        >>> stack_distances(np.array([0, 1, 2, 0, 0, 1])).tolist()
        [1, 2, 3, 3, 1, 3]
    """
    count = len(element)
    order = np.argsort(element, kind="stable")
    same = element[order][1:] == element[order][:-1]
    before = np.full(count, -1)
    before[order[1:][same]] = order[:-1][same]
    # Since p, i - p - 1 accesses; of these, those whose own last one is after p touch what was touched again.
    again = _earlier_greater(before)
    return np.arange(count) - before - again


def _earlier_greater(values: Int64[np.ndarray, " count"]) -> Int64[np.ndarray, " count"]:
    """Count for each number the greater ones before it, by merging blocks of twice the size again and again."""
    count = len(values)
    found, index, size = np.zeros(count, dtype=np.int64), np.arange(count), 1
    while size < count:
        pair, left = index // (2 * size), (index // size) % 2 == 0
        order = np.lexsort(
            (left, -values, pair)
        )  # greater ones first; of equal ones those at the right
        passed = np.cumsum(left[order])
        first = np.searchsorted(pair[order], pair[order])
        base = np.where(first > 0, passed[first - 1], 0)
        inside = passed - base
        right = ~left[order]
        found[order[right]] += inside[right]
        size *= 2
    return found


def vanilla(steps: int, hidden: int) -> Movement:
    """h ← f(W h + x)."""
    m = Machine()
    W, h, new, x = m.array(hidden, hidden), m.array(hidden), m.array(hidden), m.array(steps, hidden)
    for t in range(steps):
        m.matvec(W, h, new)
        m.update(new, x[t])
        h, new = new, h
    return m.movement()


def explicit(steps: int, hidden: int) -> Movement:
    """The fast-weights RNN with A written out: h ← f(W h + x + A h), A ← λ A + η h hᵀ."""
    m = Machine()
    W, A = m.array(hidden, hidden), m.array(hidden, hidden)
    h, z, y, x = m.array(hidden), m.array(hidden), m.array(hidden), m.array(steps, hidden)
    for t in range(steps):
        m.matvec(W, h, z)
        m.update(z, x[t])
        m.matvec(A, z, y)
        m.update(y, z)
        h, y = y, h
        m.update(A, h[:, None], h[None])
    return m.movement()


def attention(steps: int, hidden: int) -> Movement:
    """The same by its past: A h = Σ η λ^(t-τ) ⟨h_τ, h⟩ h_τ."""
    m = Machine()
    W, past = m.array(hidden, hidden), m.array(steps + 1, hidden)
    z, y, score, x = m.array(hidden), m.array(hidden), m.array(steps), m.array(steps, hidden)
    for t in range(steps):
        m.matvec(W, past[t], z)
        m.update(z, x[t])
        m.touch(y, write=True)
        for earlier in range(1, t + 1):
            m.touch(past[earlier], z)
            m.touch(score[earlier], write=True)
            m.update(y, past[earlier], score[earlier])
        m.touch(y, z)
        m.touch(past[t + 1], write=True)
    return m.movement()


def cache(steps: int, hidden: int) -> Movement:
    """Attention over a cache of keys and values that is as large as A: of the last H / 2 steps."""
    m = Machine()
    Q, K, V = (m.array(hidden, hidden) for _ in range(3))
    slots = max(1, hidden // 2)
    keys, values = m.array(slots, hidden), m.array(slots, hidden)
    q, y, score, x = m.array(hidden), m.array(hidden), m.array(slots), m.array(steps, hidden)
    for t in range(steps):
        m.matvec(Q, x[t], q)
        m.matvec(K, x[t], keys[t % slots])
        m.matvec(V, x[t], values[t % slots])
        there = min(t + 1, slots)
        m.matvec(keys[:there], q, score[:there])
        m.touch(y, write=True)
        for slot in range(there):
            m.update(y, values[slot], score[slot])
    return m.movement()


def lstm(steps: int, hidden: int) -> Movement:
    """Four gates of W h + x, and the cell."""
    m = Machine()
    W, h, c = m.array(4 * hidden, hidden), m.array(hidden), m.array(hidden)
    z, x = m.array(4 * hidden), m.array(steps, 4 * hidden)
    for t in range(steps):
        m.matvec(W, h, z)
        m.update(z, x[t])
        gates = z.reshape(4, hidden)
        m.update(c, *gates[:3])
        m.touch(c, gates[3])
        m.touch(h, write=True)
    return m.movement()


PROGRAMS: Mapping[str, Callable[[int, int], Movement]] = {
    "vanilla RNN": vanilla,
    "fast weights, explicit A": explicit,
    "fast weights, attention form": attention,
    "KV cache as large as A": cache,
    "LSTM": lstm,
}


def _names() -> Iterator[tuple[str, str, int, int]]:
    for steps, hidden in SIZES:
        for name in PROGRAMS:
            yield f"{name}, T={steps}, H={hidden}", name, steps, hidden


def measure(seeds: int) -> Measured:
    """Run every program at every size; nothing is drawn by chance, so the seeds say the same."""
    measured: dict[str, list[float]] = {}
    every = [*_names()]
    with shown("counting", "programs", len(every)) as on_progress:
        for place, (cell, name, steps, hidden) in enumerate(every, start=1):
            moved = PROGRAMS[name](steps, hidden)
            measured[f"{cell}: MB"] = [moved.bytes / 1e6] * seeds
            measured[f"{cell}: cost"] = [moved.cost / 1e6] * seeds
            on_progress(place)
    return measured


def _cases() -> dict[str, Case]:
    cases = {}
    for cell, name, steps, hidden in _names():
        mode = f"T={steps}, H={hidden}"
        cases[f"{cell}: MB"] = Case(name, mode, "megabytes moved", steps)
        cases[f"{cell}: cost"] = Case(name, mode, "cost of the reads, millions", steps)
    return cases


def picture(path: Path) -> None:
    """Draw the cost a step over the length of the sequence, for 50 hidden units."""
    from fastweights import figures

    costs = {
        name: [program(steps, 50).cost / steps for steps in LENGTHS]
        for name, program in PROGRAMS.items()
    }
    title = "cost of the reads of a step, Σ √ distance, 50 hidden units"
    figures.save(
        figures.growth(LENGTHS, costs, title=title, quantity="cost of a step"), path, dpi=150
    )


DEMONSTRATION = Demonstration(
    name="data-movement",
    title="What memories move: bytes, and the depth they are read from",
    cases=_cases(),
    measure=measure,
    picture=picture,
    notes=(
        "One sequence, forward, batch 1, float32, as plain programs over arrays, element by element; the input is"
        " projected beforehand. The cost of a read is the square root of its LRU stack distance in bytes.",
    ),
    seeds=1,
)
