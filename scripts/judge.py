"""What may differ between a backend and the reference, and what is a flag: the rules of `fuzz_ops`."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property

import op_calls
import plain_neural_memory
import torch
from draws import Call
from op_calls import Outcome
from roundings import Rounded, watched
from torch import Tensor

from fastweights.errors import UserError
from fastweights.ops.types import result_types

WORSE = 10
"""Times the plain form's own error that a backend's may be."""
FLOOR = {torch.float64: 1e-13, torch.float32: 2e-5, torch.bfloat16: 2**-7, torch.float16: 2**-9}
"""Relative error that is allowed anyway: where the plain form happens to be exact."""
NEIGHBOURS = 8
SHARED = ("recurrent_weight", "decay", "rate", "norm_", "preliminary_norm_", "learned.", "start")
"""How the names begin of what all rows share."""
REASONS = ("overflows", "level", "ties", "parameters")
"""Why a difference may be no flag."""


def true(call: Call) -> Outcome:
    """Return what the reference finds; for the Metalearned Neural Memory its equations under autograd."""
    return op_calls.run(
        call, "reference", _independent if call.op == "neural_memory" else op_calls.call_op
    )


def _independent(
    op: str, given: dict[str, Tensor], options: dict[str, object]
) -> tuple[Tensor | None, ...]:
    return op_calls.call_op(op, given, options, plain_neural_memory.neural_memory)


class Judge:
    """One call's truth, and what of a backend's outcome is wrong.

    Attributes:
        call, plain, truth: the call; the reference's outcome in the call's type, and in float64.
        left_out: the reasons for which differences were no flag.
    """

    def __init__(self, call: Call) -> None:
        self.call, self.precise = call, op_calls.as_type(call, torch.float64)
        self.plain = op_calls.run(call, "reference")
        floating = {x.dtype for x in call.tensors.values() if x.is_floating_point()}
        exact = floating == {torch.float64} and not call.autocast and call.op != "neural_memory"
        self.truth = self.plain if exact or self.plain.error else true(self.precise)
        self.left_out = set[str]()

    def flaws(self, outcome: Outcome) -> list[str]:
        """Return what is wrong with an outcome."""
        if outcome.error is not None or self.plain.error is not None:
            ours, theirs = (f"{type(e).__name__}: {e}" for e in (outcome.error, self.plain.error))
            if ours != theirs:
                return [f"raised {ours}, the reference {theirs}"]
            return [] if isinstance(outcome.error, UserError) else [f"raised {ours}"]
        if self.truth.error is not None:
            return [f"float64 raised {self.truth.error}"]
        every = (self.plain.found, outcome.found, self.truth.found)
        wrong = []
        for name in dict.fromkeys(name for found in every for name in found):
            like = next(found[name] for found in every if name in found)
            p, f, t = (found.get(name, torch.zeros_like(like)) for found in every)
            flaw = self.difference(name, f, p, t.double())
            wrong += [f"{name} {flaw}"] if flaw else []
        return wrong

    def difference(self, name: str, found: Tensor, plain: Tensor, truth: Tensor) -> str | None:
        """Return how a result differs from the reference's, None if it may."""
        if (found.shape, found.dtype) != (plain.shape, plain.dtype):
            return f"is {found.dtype} {list(found.shape)}, not {plain.dtype} {list(plain.shape)}"
        if largest(found - truth) <= FLOOR[found.dtype] * largest(truth) < math.inf:
            return None  # most are, and all is finite there
        judged = torch.ones(found.shape, dtype=torch.bool)
        if self._flaw(name, found, plain, truth, judged) is None:
            return None
        if name[0] == "∂" and self.tied is not None:
            judged.flatten(0, self.tied.dim() - 1)[self.tied.flatten()] = False
            if self._flaw(name, found, plain, truth, judged) is None:
                self.left_out.add("ties")
                return None
        if self._flaw(name, found, plain, truth, judged, rounded=True) is None:
            return None
        for reason in ("overflows", "level"):
            if getattr(self, reason):
                self.left_out.add(reason)
                return None
        if name[0] == "∂" and not (self._weights_finite() and self._rows_finite(name)):
            judged &= found.isfinite()
            self.left_out.add("parameters")
        return self._flaw(name, found, plain, truth, judged, rounded=True)

    def _flaw(
        self, name: str, found: Tensor, plain: Tensor, truth: Tensor, judged: Tensor,
        *, rounded: bool = False,
    ) -> str | None:  # fmt: skip
        lost = plain.isfinite() & truth.isfinite() & ~found.isfinite() & judged
        if lost.any():
            return f"is not finite in {int(lost.sum())} places where the reference is"
        hidden = plain.isnan() & truth.isnan() & found.isfinite() & judged
        if hidden.any() and name[0] != "∂" and self._weights_finite():
            return f"is a number in {int(hidden.sum())} places where the reference is NaN"
        at = found.isfinite() & plain.isfinite() & truth.isfinite() & judged
        error, own = largest(found - truth, at), largest(plain - truth, at)
        size = largest(truth, at)
        floor = FLOOR[found.dtype] * size + torch.finfo(found.dtype).tiny
        if self.call.options.get("gate") == "norm":
            floor += torch.finfo(found.dtype).eps * self._before_clamps(name)
        if rounded:
            near = (each.found.get(name) for each in self.neighbours)
            own = max([own, *(largest(x - truth, at) for x in near if x is not None)])
        if error <= max(WORSE * own, floor):
            return None
        return f"is {error:.1e} off, the reference {own:.1e}, of {size:.1e}"

    @cached_property
    def neighbours(self) -> list[Outcome]:
        """Outcomes of calls that differ in the last bit of every number, given or found on the way."""
        return [outcome for outcome, _ in self._near]

    @cached_property
    def _near(self) -> list[tuple[Outcome, list[Tensor]]]:
        """The neighbours, with what their layer norms were given."""
        eps, outcomes = torch.finfo(self.computed_in).eps, []
        for seed in range(NEIGHBOURS):
            draws = torch.Generator().manual_seed(seed)
            tensors = {
                name: x * (1 + eps * torch.randint(-1, 2, x.shape, generator=draws).double())
                if x.is_floating_point()
                else x
                for name, x in self.precise.tensors.items()
            }
            with Rounded(eps, seed) as rounded:
                outcome = true(self.precise._replace(tensors=tensors))
            outcomes.append((outcome, rounded.normed))
        return outcomes

    @cached_property
    def overflows(self) -> bool:
        """Whether the plain form itself leaves the range of its type, in a result or on the way to it.

        Of `delta_memory` and `fast_weight_rnn` already where they say so: inner products in chunks are squares, their
        gradients cubes, and gates are multiplied.
        """
        finite = all(x.isfinite().all() for x in self._real_steps().values())
        for name, x in self.plain.found.items():
            truth = self.truth.found.get(name)
            if truth is not None and bool((~x.isfinite() & (truth.isfinite() | finite)).any()):
                return True
        numbers = {
            name: x.nan_to_num(0, 0, 0) if x.is_floating_point() else x
            for name, x in self._real_steps().items()
        }
        call = self.call._replace(tensors=numbers)
        found = watched(lambda: op_calls.run(call, "reference")).largest
        most = torch.finfo(self.computed_in).max
        if self.call.op == "fast_weight_rnn" and self._cubes(numbers) > most / 16**3:
            return True
        if self.call.op == "delta_memory":
            most = most**0.5 / 16
        if "gate" in numbers:
            time = numbers["strength"].dim() - 1
            found = max(found, largest(numbers["gate"].double().cumprod(time)))
        sizes = [largest(x) for x in numbers.values() if x.is_floating_point()]
        least = min([x for x in sizes if x], default=1.0)
        return found > most or (self.call.op == "delta_memory" and least < 1 / most)

    def _cubes(self, numbers: dict[str, Tensor]) -> float:
        """Return the largest product of three of a recurrence's numbers; those of its memory count as two."""
        every = {
            name: x for name, x in (numbers | self.plain.found).items() if x.is_floating_point()
        }
        sizes = {name: largest(x.nan_to_num(0, 0, 0)) for name, x in every.items()}
        memories = [sizes.pop(name, 0.0) for name in ("memory", "∂memory")]
        return max(max(sizes.values()), max(memories) ** 0.5) ** 3

    @cached_property
    def level(self) -> bool:
        """Whether a layer norm of the plain form has features that are equal but for rounding: it divides by that."""
        exact = watched(lambda: true(self.precise)).normed
        moved = (
            largest(((near - x) * scale).nan_to_num(0, 0, 0))
            for _, normed in self._near
            for near, (x, scale) in zip(normed, exact, strict=True)
        )
        return max(moved, default=0.0) > 1 / WORSE

    @cached_property
    def tied(self) -> Tensor | None:
        """The rows [*lead] whose norm is the clamp's limit but for rounding, where the gradient is any of two."""
        if self.call.options.get("gate") != "norm":
            return None
        steps = self.call.tensors["strength"].shape
        norms = torch.stack(watched(lambda: true(self.precise)).norms[: steps[-1]], -1)
        at_limit = (norms.view(steps) - 1).abs() < FLOOR[self.computed_in]
        return (at_limit & self._mask(steps)).any(-1)

    def _mask(self, steps: torch.Size) -> Tensor:
        """Return which steps [*lead, time] are real."""
        mask = self.call.tensors.get("mask")
        if mask is None:
            return torch.ones(steps, dtype=torch.bool)
        between = (1,) * (len(steps) - mask.dim())
        return mask.reshape(*mask.shape[:-1], *between, mask.shape[-1]).expand(steps)

    def _real_steps(self) -> dict[str, Tensor]:
        """Return the call's tensors with 0 at padded steps."""
        tensors = dict(self.call.tensors)
        if "mask" in tensors:
            steps = tensors["strength" if "strength" in tensors else "mask"].shape
            real = self._mask(steps)
            for name, x in tensors.items():
                if x.is_floating_point() and x.shape[: len(steps)] == steps:
                    between = (1,) * (x.dim() - len(steps))
                    tensors[name] = x.masked_fill(~real.reshape(*steps, *between), 0)
        return tensors

    @cached_property
    def computed_in(self) -> torch.dtype:
        """The type that the op computes in."""
        floating = [x for x in self.call.tensors.values() if x.is_floating_point()]
        return result_types(floating, "cpu", self.call.autocast).compute

    def _before_clamps(self, name: str) -> float:
        """Return the size of a gradient before clamps take away what is along F.

        By the memory: what its end is given. By a strength or a key, which clamps leave nothing along F: ten times what
        of a row is differentiated, before a layer norm takes its part away, over them.
        """
        given = {
            result: op_calls.weight(kind, self.plain.found[result], self.call.seed + n).double()
            for n, (result, kind) in enumerate(
                zip(op_calls.RESULTS[self.call.op], self.call.weights, strict=True)
            )
            if kind != "none" and result in self.plain.found
        }
        if name == "∂memory":
            return largest(given["memory"]) if "memory" in given else 0.0
        if not name.startswith(("∂strength", "∂keys")):
            return 0.0
        steps = self._real_steps()
        terms = (
            (x * self.truth.found[result])
            .abs()
            .nan_to_num(0, 0, 0)
            .flatten(steps["strength"].dim() - 1)
            for result, x in given.items()
        )
        whole = sum(x.sum(-1) for x in terms)
        return (
            WORSE
            * self._enlarged
            * largest(whole)
            / max(1.0, largest(steps[name[1:]].nan_to_num(0, 0, 0)))
        )

    @cached_property
    def _enlarged(self) -> float:
        """How many times what is read a layer norm makes of it at most: at least 1, also where it only moves it."""
        normed = watched(lambda: true(self.precise)).normed
        return max([1.0, *(largest((x * scale).nan_to_num(0, 0, 0)) for x, scale in normed)])

    def _weights_finite(self) -> bool:
        """Return whether NaN can only come of what a step is given: 0 times a weight may be left out, or not."""
        steps = {"drive", "gates", "values", "hidden", "cell", "memory"}
        weights = (x for name, x in self.call.tensors.items() if name not in steps)
        return all(bool(x.isfinite().all()) for x in weights)

    def _rows_finite(self, gradient: str) -> bool:
        """Return whether a gradient is of one row alone, or of rows that all come to numbers."""
        results = (x for name, x in self.plain.found.items() if name[0] != "∂")
        shared = gradient[1:].startswith(SHARED)
        return not shared or all(bool(x.isfinite().all()) for x in results)


def largest(x: Tensor, at: Tensor | None = None) -> float:
    """Return the largest of the numbers chosen, or of all."""
    x = x.double() if at is None else x.double()[at]
    return float(x.abs().max()) if x.numel() else 0.0


def counted(left_out: set[str]) -> Counter[str]:
    """Return how many calls were judged but for a reason, for every reason."""
    return Counter({reason: int(reason in left_out) for reason in REASONS})
