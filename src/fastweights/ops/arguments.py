"""Checks of arguments that all ops share: each raises `UserError` with what was given and what is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.ops.tracing import may_look
from fastweights.ops.types import at_least_float32, autocasts


def check_fits(
    name: str,
    tensor: Tensor,
    shape: tuple[int | str, ...],
    like: Tensor,
    like_name: str,
    *,
    carried: bool = False,
) -> None:
    """Raise `UserError` unless a tensor has a shape, and the device and type of another.

    Args:
        name: of the tensor, as the caller knows it.
        tensor: it.
        shape: what it must be; a word stands for any size.
        like: the argument that decides. Under autocast the floating-point types may differ.
        like_name: its name.
        carried: whether it is a state, which may have the computation's type too.

    Example:
        >>> check_fits("hidden", torch.zeros(2, 3), ("batch", 3), torch.zeros(2, 5, 3), "drive")
    """
    if tensor.shape != shape and (
        tensor.dim() != len(shape)
        or any(
            size != wanted
            for size, wanted in zip(tensor.shape, shape, strict=True)
            if isinstance(wanted, int)
        )
    ):
        wanted = ", ".join(map(str, shape))
        raise UserError(
            f"{name} has shape {list(tensor.shape)}; accepted: [{wanted}], "
            f"which fits {like_name} of {list(like.shape)}"
        )
    if tensor.device != like.device:
        raise UserError(
            f"{name} is on {tensor.device}, {like_name} on {like.device}; accepted: one device"
        )
    if tensor.dtype == like.dtype or (carried and tensor.dtype == at_least_float32(like.dtype)):
        return
    if not (tensor.is_floating_point() and autocasts(like.device)):
        raise UserError(f"{name} is {tensor.dtype}, {like_name} {like.dtype}; accepted: one type")


def check_floating(name: str, tensor: Tensor) -> None:
    """Raise `UserError` unless a tensor holds floating-point numbers."""
    if not tensor.is_floating_point():
        raise UserError(f"{name} is {tensor.dtype}; accepted: a floating-point type")


def check_mask(name: str, mask: Tensor | None, *shapes: tuple[int, ...], like: Tensor) -> None:
    """Raise `UserError` unless a mask is None, or bool, of one of the shapes, on the device of `like`."""
    if mask is None:
        return
    if tuple(mask.shape) not in shapes or mask.dtype != torch.bool or mask.device != like.device:
        accepted = " or ".join(str(list(shape)) for shape in shapes)
        raise UserError(
            f"{name} is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool {accepted} on {like.device}"
        )


def check_count(name: str, given: int) -> None:
    """Raise `UserError` unless a number is whole and 1 or more."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise UserError(f"{name} is {given!r}; accepted: a whole number, 1 or more")


def check_chunk(chunk: int | None) -> None:
    """Raise `UserError` unless `chunk` is None or a number of steps."""
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise UserError(f"chunk is {chunk!r}; accepted: a whole number, 1 or more, or None")


def check_norm_eps(norm_eps: float) -> None:
    """Raise `UserError` unless ε of a layer norm is more than 0."""
    if not norm_eps > 0:
        raise UserError(f"norm_eps is {norm_eps!r}; accepted: more than 0")


def over_lead(mask: Tensor | None, steps: tuple[int, ...]) -> Tensor | None:
    """Return a mask [batch, time] with all leading dimensions, `steps` being [*lead, time] with the batch first.

    Example:
        >>> over_lead(torch.ones(2, 5, dtype=torch.bool), (2, 3, 5)).shape
        torch.Size([2, 3, 5])
    """
    if mask is None or mask.shape == steps:
        return mask
    batch, time = mask.shape
    return mask.reshape(batch, *(1,) * (len(steps) - 2), time).expand(steps)


def raise_if_not_finite(
    results: Iterable[Tensor | None],
    sequences: dict[str, Tensor],
    state: dict[str, Tensor | None],
    mask: Tensor | None,
) -> None:
    """Raise `UserError` if results are not finite because an argument is not; name it and its first such step.

    For an op where whatever is not finite spoils the results, so the arguments are looked at only then; nothing is
    where looking would wait for an accelerator or break a trace.

    Args:
        results: what the op returns.
        sequences: arguments by name; the first one's dimensions are [*lead, time], which the others begin with.
        state: what the op started from, by name.
        mask: [*lead, time], True = real; None: all are.
    """
    steps = next(iter(sequences.values()))
    if not may_look(steps) or all(result is None or _finite(result) for result in results):
        return
    for name, tensor in state.items():
        if tensor is not None and not _finite(tensor):
            raise UserError(f"{name} holds numbers that are not finite")
    found = []
    for name, tensor in sequences.items():
        bad = ~tensor.detach().isfinite().reshape(*steps.shape, -1).all(-1)
        at = (bad if mask is None else bad & mask).flatten(0, -2).any(0).nonzero()
        found += [(int(step), name) for step in at[:1]]
    if found:
        step, name = min(found, key=lambda each: each[0])
        raise UserError(f"{name} is not finite at step {step}; accepted: finite numbers")


def _finite(tensor: Tensor) -> bool:
    """Return whether all is finite; a finite sum says so at the price of one pass."""
    tensor = tensor.detach()
    return math.isfinite(tensor.sum().item()) or bool(tensor.isfinite().all())
