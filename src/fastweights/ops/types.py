"""The types of an op's computation and results, and nested tuples of tensors, which are cast and folded as one.

The computation runs in float32, or in the widest type among the arguments (zero-dimensional tensors aside), and the
state comes in that type, so that what a sequence carries is never rounded between two calls. Outputs come in the first
argument's type; under autocast, where types may be mixed, in the autocast type (in the computation's, where that is
wider than float32).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, TypeVar, cast

import torch
from torch import Tensor

T = TypeVar("T")


class Types(NamedTuple):
    """The types of the computation, which the state has too, and of the outputs."""

    compute: torch.dtype
    output: torch.dtype


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """Return the type that a recurrence whose arguments are of this one computes and carries its state in.

    Example:
        >>> at_least_float32(torch.bfloat16), at_least_float32(torch.float64)
        (torch.float32, torch.float64)
    """
    return torch.promote_types(dtype, torch.float32)


def result_types(tensors: list[Tensor], device: str, mixed: bool) -> Types:
    """Return the types for floating-point arguments on a type of device, under autocast or not; see the module.

    Example:
        >>> result_types([torch.zeros(1).bfloat16()], "cpu", mixed=False)
        Types(compute=torch.float32, output=torch.bfloat16)
    """
    compute = torch.float32
    for tensor in tensors:
        if tensor.dtype != compute and tensor.dim():
            compute = torch.promote_types(compute, tensor.dtype)
    if not mixed:
        return Types(compute, tensors[0].dtype)
    output = torch.get_autocast_dtype(device) if compute == torch.float32 else compute
    return Types(compute, output)


def autocasts(device: torch.device) -> bool:
    """Return whether autocast is on for a device; "meta" has none, and torch raises when asked.

    Example:
        >>> autocasts(torch.device("meta"))
        False
    """
    return device.type != "meta" and torch.is_autocast_enabled(device.type)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which autocast is off for a device.

    Example:
        >>> with torch.autocast("cpu"), without_autocast(torch.device("cpu")):
        ...     autocasts(torch.device("cpu"))
        False
    """
    # Where it is off already, an exported program need not hold that it is.
    return torch.autocast(device.type, enabled=False) if autocasts(device) else nullcontext()


def first_tensor(part: object) -> Tensor:
    """Return the first tensor of nested tuples that begin with one."""
    while isinstance(part, tuple):
        part = part[0]
    return cast(Tensor, part)


def all_tensors(parts: tuple[object, ...]) -> list[Tensor]:
    """Return the tensors of nested tuples."""
    found: list[Tensor] = []
    for part in parts:
        if isinstance(part, tuple):
            found += all_tensors(part)
        elif isinstance(part, Tensor):
            found.append(part)
    return found


def fold(part: T, dtype: torch.dtype, leading: tuple[int, ...]) -> T:
    """Return nested tuples with floating-point tensors in a type, and the leading dimensions of all tensors as one."""

    def each(tensor: Tensor) -> Tensor:
        tensor = _cast(tensor, dtype)
        return tensor.flatten(0, len(leading) - 1) if len(leading) > 1 else tensor

    return _map(part, each)


def unfold(part: T, dtype: torch.dtype, leading: tuple[int, ...]) -> T:
    """Return nested tuples with floating-point tensors in a type, and the leading dimensions that `fold` made one."""

    def each(tensor: Tensor) -> Tensor:
        tensor = _cast(tensor, dtype)
        return tensor.unflatten(0, leading) if len(leading) > 1 else tensor

    return _map(part, each)


def with_fields(part: T, fields: Iterable[object]) -> T:
    """Return a tuple of the kind given with other fields."""
    return type(part)(*fields) if hasattr(part, "_fields") else cast(T, tuple(fields))


def _map(part: T, function: Callable[[Tensor], Tensor]) -> T:
    if isinstance(part, tuple):
        return with_fields(part, [_map(each, function) for each in part])
    return cast(T, function(part)) if isinstance(part, Tensor) else part


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() and tensor.dtype != dtype else tensor
