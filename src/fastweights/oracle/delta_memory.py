"""The memories in NumPy, F written out, with back-propagation through time derived by hand.

It knows one sequence: rows of a batch never see each other. F is a matrix [key, value], so what a key finds is Fᵀ k.

    D  = α F                         α a number, or one for each row of F: diag(α) F
    F' = D + k (β v − Dᵀ e)ᵀ         rule "delta", e = β k where no other is given;   F' = D + β k vᵀ     rule "hebbian"
    F' = D + S, S = η S + k (…)ᵀ     with momentum η
    F  = F' / max(1, ‖F'‖)           gate "norm" alone
    nⁱ = LN(Fᵀ k(nⁱ⁻¹, eⁱ))          i = 1 … R, with k = vec(k1 ⊗ k2) or [k1; k2];   LN(Fᵀ q) with one key factor
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastweights.oracle import NORM_EPS, Array

Flags = NDArray[np.bool_]


class Read(NamedTuple):
    """One read: its query in factors and combined, and what it found before LN."""

    factors: tuple[Array, ...]
    query: Array  # [key]
    found: Array  # [value]


class Step(NamedTuple):
    """What the backward pass needs of one real time step."""

    time: int
    before: Array  # F(t-1)                          [key, value]
    key: Array  # k                                  [key]
    decayed: Array  # D                              [key, value]
    moving: Array | None  # S(t-1)                   [key, value]
    erase: Array | None  # e                         [key]
    written: Array  # β v − Dᵀ e, or β v             [value]
    unclamped: Array  # F'                           [key, value]
    memory: Array  # F(t)                            [key, value]
    reads: list[Read]


@dataclass
class Outcome:
    """retrieved [time, value], every real step, and F, perhaps S, after the last in the shape of the memory given."""

    retrieved: Array
    memory: Array
    steps: list[Step]
    velocity: Array | None = None


@dataclass(frozen=True)
class DeltaMemory:
    """A memory run over one sequence; options and arguments are `ops.delta_memory`'s without leading dimensions.

    The arguments come by name: "keys[0]" and perhaps "keys[1]", "values", "strength", and perhaps "gate" (an array
    [time] or [time, key]), "erase", "momentum" [time], "queries[0]", "queries[1]", "memory", "velocity" (S before the
    first step; only with momentum, as a gradient on S is).

    Example:
        >>> k, v, beta = np.eye(3), np.ones((3, 2)), np.ones(3)
        >>> given = {"keys[0]": k, "values": v, "strength": beta, "queries[0]": k}
        >>> memory = DeltaMemory(read_norm=False)
        >>> memory.forward(given).retrieved.tolist()
        [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
        >>> memory.backward(given, memory.forward(given), np.ones((3, 2)))["strength"].tolist()
        [2.0, 2.0, 2.0]
    """

    rule: str = "delta"
    clamp: bool = False
    combine: str = "product"
    read_norm: bool = True

    def forward(
        self,
        given: dict[str, Array],
        mask: Flags | None = None,
        read_mask: Flags | None = None,
    ) -> Outcome:
        """Run the sequence; padded steps (mask False) are left out, unread ones (read_mask False) retrieve zeros."""
        keys, values, strength = factors(given, "keys"), given["values"], given["strength"]
        time, size = values.shape
        sizes = [factor.shape[1] for factor in keys]
        shape = [sum(sizes)] if self.combine == "concat" else sizes
        start = given["memory"] if "memory" in given else np.zeros((*shape, size))
        F = start.reshape(-1, size)
        S = self._velocity(given, start)
        retrieved, steps = np.zeros((time, size)), []
        for t in [t for t in range(time) if mask is None or mask[t]]:
            k, v = self.combined([factor[t] for factor in keys]), values[t]
            decayed: Array = self._gate(given, t) * F
            erase = given["erase"][t] if "erase" in given else strength[t] * k
            erase = erase if self.rule == "delta" else None
            found: Array = np.zeros(size) if erase is None else decayed.T @ erase
            written = strength[t] * v - found
            moving, added = S, k[:, None] * written
            if S is not None:
                S = added = given["momentum"][t] * S + added
            unclamped = decayed + added
            norm = np.linalg.norm(unclamped)
            memory = unclamped / norm if self.clamp and norm > 1 else unclamped
            reads = []
            if "queries[0]" in given and (read_mask is None or read_mask[t]):
                reads, retrieved[t] = self._read(memory, [q[t] for q in factors(given, "queries")])
            steps.append(Step(t, F, k, decayed, moving, erase, written, unclamped, memory, reads))
            F = memory
        end = None if S is None else S.reshape(start.shape)
        return Outcome(retrieved, F.reshape(start.shape), steps, end)

    def backward(
        self,
        given: dict[str, Array],
        outcome: Outcome,
        d_retrieved: Array,
        d_memory: Array | None = None,
        d_velocity: Array | None = None,
    ) -> dict[str, Array]:
        """Back-propagate from gradients on what is retrieved and on the final memory and S (None: zeros).

        Returns:
            The gradient of every argument given, by name, and of "memory" and, with momentum, "velocity".
        """
        keys = factors(given, "keys")
        d = {name: np.zeros_like(array) for name, array in given.items()}
        dF: Array = np.zeros_like(outcome.memory) if d_memory is None else d_memory
        dF = dF.reshape(-1, d_retrieved.shape[1])
        dS = np.zeros_like(dF) if d_velocity is None else d_velocity.reshape(dF.shape)
        for step in reversed(outcome.steps):
            t, k, written = step.time, step.key, step.written
            beta = given["strength"][t]

            # nⁱ = LN(Fᵀ k(nⁱ⁻¹, eⁱ)), the last read first
            dn = d_retrieved[t]
            for number, read in reversed(list(enumerate(step.reads))):
                dx = self._norm_backward(read.found, dn) if self.read_norm else dn
                dF = dF + np.outer(read.query, dx)
                dn, *d_links = self._split(step.memory @ dx, read.factors)
                for link in d_links:
                    d["queries[1]"][t, number] = link
            if step.reads:
                d["queries[0]"][t] = dn

            # F = F' / ‖F'‖ where ‖F'‖ > 1
            norm = np.linalg.norm(step.unclamped)
            if self.clamp and norm > 1:
                dF = (dF - step.memory * (dF * step.memory).sum()) / norm

            # F' = D + S, S = η S + k writtenᵀ
            dS = dF + dS
            d_written = dS.T @ k
            dk = dS @ written
            if step.moving is not None:
                d["momentum"][t] = (dS * step.moving).sum()
                dS = given["momentum"][t] * dS
            else:
                dS = np.zeros_like(dF)

            # written = β v − Dᵀ e
            d["values"][t] = beta * d_written
            d["strength"][t] = d_written @ given["values"][t]
            if step.erase is not None:
                d_erase = -step.decayed @ d_written
                dF = dF - np.outer(step.erase, d_written)
                if "erase" in given:
                    d["erase"][t] = d_erase
                else:
                    d["strength"][t] += d_erase @ k
                    dk += beta * d_erase

            # D = α F
            if "gate" in given:
                d["gate"][t] = (dF * step.before).sum(None if given["gate"].ndim == 1 else 1)
            dF = self._gate(given, t) * dF
            for number, part in enumerate(self._split(dk, [factor[t] for factor in keys])):
                d[f"keys[{number}]"][t] = part
        d["memory"] = dF.reshape(outcome.memory.shape)
        if outcome.velocity is not None:
            d["velocity"] = dS.reshape(outcome.memory.shape)
        return d

    def clearance(self, outcome: Outcome) -> tuple[float, float]:
        """Return how far the run stayed from where it is not smooth.

        Returns:
            The least distance of ‖F'‖ from 1 (infinite without the clamp), and the least standard deviation that an LN
            divided by (infinite without LN).
        """
        kink = deviation = np.inf
        for step in outcome.steps:
            if self.clamp:
                kink = min(kink, abs(float(np.linalg.norm(step.unclamped)) - 1))
            if self.read_norm:
                deviation = min([deviation, *(float(read.found.std()) for read in step.reads)])
        return kink, deviation

    def combined(self, parts: Sequence[Array]) -> Array:
        """The key itself: the one factor there is, vec(k1 ⊗ k2), or [k1; k2]."""
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if self.combine == "concat" else np.outer(*parts).reshape(-1)

    def _velocity(self, given: dict[str, Array], start: Array) -> Array | None:
        """S before the first step, flat; None without momentum."""
        if "momentum" not in given:
            return None
        velocity = given.get("velocity", np.zeros_like(start))
        return velocity.reshape(-1, start.shape[-1])

    def _gate(self, given: dict[str, Array], t: int) -> Array:
        """α of a step in a shape that multiplies F."""
        return given["gate"][t].reshape(-1, 1) if "gate" in given else np.ones((1, 1))

    def _split(self, d_key: Array, parts: Sequence[Array]) -> tuple[Array, ...]:
        """The gradient of each factor from that of the key."""
        if len(parts) == 1:
            return (d_key,)
        first, second = parts
        if self.combine == "concat":
            return d_key[: len(first)], d_key[len(first) :]
        d_outer = d_key.reshape(len(first), len(second))
        return d_outer @ second, d_outer.T @ first

    def _read(self, F: Array, queries: list[Array]) -> tuple[list[Read], Array]:
        n, *links = queries
        reads = []
        for link in [(e,) for e in links[0]] if links else [()]:
            parts = (n, *link)
            query = self.combined(parts)
            found = F.T @ query
            n = self._norm(found) if self.read_norm else found
            reads.append(Read(parts, query, found))
        return reads, n

    def _norm(self, x: Array) -> Array:
        return (x - x.mean()) / np.sqrt(x.var() + NORM_EPS)

    def _norm_backward(self, x: Array, dy: Array) -> Array:
        y = self._norm(x)
        return (dy - dy.mean() - y * (dy * y).mean()) / np.sqrt(x.var() + NORM_EPS)


def factors(given: dict[str, Array], name: str) -> list[Array]:
    """The arrays "name[0]", "name[1]" … that there are."""
    return [given[f"{name}[{n}]"] for n in range(2) if f"{name}[{n}]" in given]
