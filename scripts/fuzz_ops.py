"""Call the four ops with random arguments on every backend, and hold values, state and gradients against the reference.

    python scripts/fuzz_ops.py 50000 --seed 0 --json > results/reliability/ops.jsonl
    python scripts/fuzz_ops.py 1 --seed 0 --only 1234                    # that case again, with all that is drawn

A case is one draw of every argument: sizes (also 0, and about a vector's width), types, masks and what stands at padded
steps, leading dimensions, a carried state, gates, classes, views, options, which gradients are asked for and of what,
numbers from 1e-38 to 1e38, infinities and NaN, and now and then what no op takes. The truth is the reference in float64
(the Metalearned Neural Memory, which has no other backend: its equations under autograd).

A flag: an error more than ten times the plain form's own, which is the largest over the call and calls that differ from
it in the last bit of each number; other exceptions than the reference's, or one that is no `UserError`; infinities or
NaN where the reference has a number, or the reverse; an argument that was changed; a process that died. Where the plain
form itself overflows, numbers are not compared. Exit code 1 if there is a flag.
"""

from __future__ import annotations

import sys
import warnings

import children
import op_calls
import plain_neural_memory
import torch
from draws import Call
from op_calls import Outcome
from torch import Tensor

from fastweights.errors import UserError

WORSE = 10
"""Times the plain form's own error that a backend's may be."""
FLOOR = {torch.float64: 1e-13, torch.float32: 2e-5, torch.bfloat16: 2**-7, torch.float16: 2**-9}
"""Relative error that is allowed anyway: where the plain form happens to be exact."""
NEIGHBOURS = 8


def neighbour(call: Call, seed: int) -> Call:
    """Return a call whose numbers differ in the last bit that the computation holds."""
    draws = torch.Generator().manual_seed(seed)

    def moved(x: Tensor) -> Tensor:
        kind = torch.promote_types(x.dtype, torch.float32)
        signs = torch.randint(-1, 2, x.shape, generator=draws)
        return x.to(kind) * (1 + signs.to(kind) * torch.finfo(kind).eps)

    tensors = {name: moved(x) if x.is_floating_point() else x for name, x in call.tensors.items()}
    return call._replace(tensors=tensors, autocast=False)


def true(call: Call) -> Outcome:
    return op_calls.run(
        call, "reference", _independent if call.op == "neural_memory" else op_calls.call_op
    )


def _independent(
    op: str, given: dict[str, Tensor], options: dict[str, object]
) -> tuple[Tensor | None, ...]:
    return op_calls.call_op(op, given, options, plain_neural_memory.neural_memory)


def error_of(found: Tensor, truth: Tensor, at: Tensor) -> float:
    """Return the largest distance where both are numbers."""
    return float((found.double() - truth)[at].abs().max()) if at.any() else 0.0


def flaws(call: Call, backend: str, plain: Outcome, truth: Outcome) -> list[str]:
    """Return what is wrong with a call on a backend."""
    before = {name: x.clone() for name, x in call.tensors.items()}
    outcome = op_calls.run(call, backend)
    wrong = [f"{name} was changed" for name, x in before.items() if not same(x, call.tensors[name])]
    if outcome.error is not None or plain.error is not None:
        ours, theirs = (f"{type(e).__name__}: {e}" for e in (outcome.error, plain.error))
        if ours != theirs:
            return [*wrong, f"raised {ours}, the reference {theirs}"]
        return wrong if isinstance(outcome.error, UserError) else [*wrong, f"raised {ours}"]
    if truth.error is not None:
        return [*wrong, f"float64 raised {truth.error}"]
    if leaves_range(call, plain, truth):
        return wrong
    for name in truth.found.keys() | outcome.found.keys() | plain.found.keys():
        like = next(x.found[name] for x in (plain, outcome, truth) if name in x.found)
        f, p, t = (x.found.get(name, torch.zeros_like(like)) for x in (outcome, plain, truth))
        flaw = difference(call, name, f, p, t.double())
        wrong += [f"{name} {flaw}"] if flaw else []
    return wrong


def leaves_range(call: Call, plain: Outcome, truth: Outcome) -> bool:
    """Return whether the plain form overflows in its type: where depends on the order of its products."""
    finite = all(_real(call, x).isfinite().all() for x in call.tensors.values())
    return any(
        bool((~x.isfinite() & (truth.found[name].isfinite() | finite)).any())
        for name, x in plain.found.items()
        if name in truth.found
    )


def _real(call: Call, x: Tensor) -> Tensor:
    """Return what a tensor has at real steps, if it has steps."""
    mask = call.tensors.get("mask")
    return x if mask is None or x.shape[: mask.dim()] != mask.shape else x[mask]


def difference(call: Call, name: str, found: Tensor, plain: Tensor, truth: Tensor) -> str | None:
    """Return how a result differs from the reference's, None if it may."""
    if (found.shape, found.dtype) != (plain.shape, plain.dtype):
        return f"is {found.dtype} {list(found.shape)}, not {plain.dtype} {list(plain.shape)}"
    numbers = found.isfinite() & plain.isfinite() & truth.isfinite()
    lost = plain.isfinite() & truth.isfinite() & ~found.isfinite()
    if lost.any():
        return f"is not finite in {int(lost.sum())} places where the reference is"
    hidden = plain.isnan() & truth.isnan() & found.isfinite()
    if hidden.any() and name[0] != "∂" and _weights_finite(call):
        return f"is a number in {int(hidden.sum())} places where the reference is NaN"
    error, own = error_of(found, truth, numbers), error_of(plain, truth, numbers)
    size = float(truth[numbers].abs().max()) if numbers.any() else 0.0
    floor = FLOOR[found.dtype] * size + torch.finfo(found.dtype).tiny
    if error <= max(WORSE * own, floor):
        return None
    for seed in range(NEIGHBOURS):
        near = true(neighbour(call, seed)).found.get(name)
        own = max(own, 0.0 if near is None else error_of(near, truth, numbers))
    if error <= WORSE * own:
        return None
    return f"is {error:.1e} off, the reference {own:.1e}, of {size:.1e}"


def _weights_finite(call: Call) -> bool:
    """Return whether NaN can only come of what a step is given: 0 times a weight may be left out, whatever it is."""
    steps = call.tensors.keys() & {"drive", "gates", "values", "hidden", "cell", "memory"}
    return all(bool(x.isfinite().all()) for name, x in call.tensors.items() if name not in steps)


def same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num())


def case(seed: int, number: int) -> children.Found:
    """Run a case on every backend."""
    warnings.simplefilter("error")
    call = op_calls.draw(seed, number)
    plain = op_calls.run(call, "reference")
    truth = true(op_calls.as_type(call, torch.float64)) if plain.error is None else plain
    names = op_calls.backends(call.op)
    wrong = [f"{name}: {flaw}" for name in names for flaw in flaws(call, name, plain, truth)]
    return len(names), tuple(f"{call.op} {each}" for each in wrong)


def describe(seed: int, number: int, *, finite: bool = False) -> None:
    """Print what is drawn."""
    call = op_calls.draw(seed, number, finite=finite)
    for name, x in call.tensors.items():
        asked = "  ∂" if name in call.leaves else ""
        print(f"  {name}: {x.dtype} {list(x.shape)}, strides {list(x.stride())}{asked}")
    print(
        f"  {call.op} {call.options}, gradients {call.weights}, autocast {call.autocast}, {call.threads} threads"
    )


if __name__ == "__main__":
    sys.exit(
        0
        if children.all_right("Random calls of the ops, against the reference.", case, describe)
        else 1
    )
