"""A recurrence over time in plain PyTorch: a loop, or one operator where an exported program leaves the time open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import TypeVar, cast

import torch
from jaxtyping import Shaped
from torch import Tensor

from fastweights.errors import UserError
from fastweights.ops.tracing import is_onnx, is_open
from fastweights.ops.types import with_fields

C = TypeVar("C", bound=tuple[object, ...])
"""The carry, from a step to the next: a (named) tuple of tensors, or of None too where the time is a number."""
Others = tuple[Tensor | None, ...]
"""The values of a step of every sequence but the first."""
Step = Callable[[C, Tensor, Others], tuple[C, tuple[Tensor, ...]]]


def over_time(
    step: Step[C],
    carry: C,
    x: Shaped[Tensor, "batch time ..."],
    others: tuple[Shaped[Tensor, "batch time ..."] | None, ...] = (),
) -> tuple[C, list[Shaped[Tensor, "batch time ..."]]]:
    """Run a recurrence step by step.

    Args:
        step: called with what the step before handed on, and with what x and the others hold there; returns what it
            hands on, of the same shapes and types, and what it puts out. It changes nothing that it is given.
        carry: what the first step is given.
        x: [batch, time, …].
        others: more of them, or None.

    Raises:
        UserError: where an exported program leaves the time open and gradients are on.

    Returns:
        What the last step handed on, and all that steps put out [batch, time, …] (none if there is no step).

    Example:
        >>> add = lambda total, x, others: ((total[0] + x,), (total[0] + x,))
        >>> (total,), (sums,) = over_time(add, (torch.zeros(1),), torch.tensor([[1.0, 2.0, 3.0]]))
        >>> total.tolist(), sums.tolist()
        ([6.0], [[1.0, 3.0, 6.0]])
    """
    if is_open(x.shape[1]):
        return _scan(step, carry, x, others)
    outputs = []
    for x_t, others_t in each_step(x, others):
        carry, made = step(carry, x_t, others_t)
        outputs.append(made)
    return carry, [torch.stack(each, 1) for each in zip(*outputs, strict=True)]


def each_step(
    x: Shaped[Tensor, "batch time ..."],
    others: tuple[Shaped[Tensor, "batch time ..."] | None, ...] = (),
) -> Iterator[tuple[Tensor, Others]]:
    """Return what sequences hold at each step, as `over_time` takes them."""
    if not others:
        return zip(x.unbind(1), repeat(()), strict=False)
    parts = (repeat(None) if each is None else each.unbind(1) for each in others)
    return zip(x.unbind(1), zip(*parts, strict=False), strict=False)


def _scan(step: Step[C], carry: C, x: Tensor, others: Others) -> tuple[C, list[Tensor]]:
    if torch.is_grad_enabled() and not is_onnx():
        raise UserError(
            "a recurrence over an open number of steps is exported without gradients; accepted: "
            "torch.export.export(…) under torch.no_grad(), or a time that is a number"
        )
    from torch._higher_order_ops import scan  # as slow to import as the compiler, which is at work

    there = [each is not None for each in others]

    def once(before: list[Tensor], given: list[Tensor]) -> tuple[list[object], list[Tensor]]:
        x_t, *rest = given
        found = iter(rest)
        others_t = tuple([next(found) if is_there else None for is_there in there])
        after, made = step(with_fields(carry, before), x_t, others_t)
        return list(after), [each.clone() for each in made]  # no two results may be one tensor

    start = [each.contiguous() for each in cast("tuple[Tensor, ...]", carry)]  # as steps hand on
    first_dimension = [each.movedim(1, 0) for each in (x, *others) if each is not None]
    end, outputs = scan(once, start, first_dimension)
    return with_fields(carry, end), [each.movedim(0, 1) for each in outputs]
