"""The arguments of the memories: what is accepted, checked in one place."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fastweights.errors import UserError, unknown
from fastweights.ops import padding
from fastweights.ops.delta_memory.combine import key_shape
from fastweights.ops.tracing import may_look

RULES = ("delta", "hebbian")
COMBINES = ("product", "concat")

Tensors = tuple[Tensor, ...]


def check(
    keys: Tensors,
    values: Tensor,
    strength: Tensor,
    *,
    queries: Tensors | None,
    memory: Tensor | None,
    rule: str,
    gate: Tensor | str | None,
    combine: str,
    read_norm: bool,
    norm_eps: float,
    mask: Tensor | None,
    read_mask: Tensor | None,
    chunk: int | None,
) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, and at the form of the mask."""
    if not _tensors(keys) or len(keys) not in (1, 2):
        raise UserError(f"keys is {_kind(keys)}; accepted: a tuple of 1 or 2 tensors")
    if values.dim() < 3:
        raise UserError(
            f"values has shape {list(values.shape)}; accepted: [batch, time, value] or more leading dimensions"
        )
    if not values.is_floating_point():
        raise UserError(f"values is {values.dtype}; accepted: a floating-point type")
    *lead, time, size = values.shape
    for number, factor in enumerate(keys):
        _fits(f"keys[{number}]", factor, (*lead, time, "key"), values)
    _fits("strength", strength, (*lead, time), values)
    sizes = tuple(factor.shape[-1] for factor in keys)
    if 0 in (size, *sizes):
        raise UserError(f"keys have {list(sizes)} features and values {size}; accepted: 1 or more")
    if rule not in RULES:
        raise unknown("rule", str(rule), RULES)
    if combine not in COMBINES:
        raise unknown("combine", str(combine), COMBINES)
    if isinstance(gate, Tensor):
        _fits("gate", gate, (*lead, time), values)
    elif gate is not None and gate != "norm":
        raise UserError(f"gate is {gate!r}; accepted: None, 'norm', or a tensor {[*lead, time]}")
    if queries is not None:
        _queries(queries, sizes, values)
    if memory is not None:
        _fits("memory", memory, (*lead, *key_shape(sizes, combine), size), values)
    if not isinstance(read_norm, bool):
        raise UserError(f"read_norm is {read_norm!r}; accepted: True or False")
    if not norm_eps > 0:
        raise UserError(f"norm_eps is {norm_eps!r}; accepted: more than 0")
    if chunk is not None and (isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1):
        raise UserError(f"chunk is {chunk!r}; accepted: a whole number, 1 or more, or None")
    for name, given in (("mask", mask), ("read_mask", read_mask)):
        if given is not None:
            _mask(name, given, strength)
    if mask is not None:
        padding.lengths_and_shift(mask.flatten(0, -2))


def over_lead(mask: Tensor | None, strength: Tensor) -> Tensor | None:
    """Give a mask [batch, time] the leading dimensions of `strength`, whose first is the batch."""
    if mask is None or mask.shape == strength.shape:
        return mask
    batch, time = mask.shape
    return mask.reshape(batch, *(1,) * (strength.dim() - 2), time).expand(strength.shape)


def blame(
    results: tuple[Tensor | None, Tensor],
    keys: Tensors,
    values: Tensor,
    strength: Tensor,
    *,
    queries: Tensors | None,
    gate: Tensor | str | None,
    memory: Tensor | None,
    mask: Tensor | None,
) -> None:
    """Raise `UserError` if results are not finite because an argument is not; names it and its first such step.

    Whatever is not finite spoils the memory or what is retrieved, so the arguments are looked at only then; nothing is
    where looking would wait for an accelerator or break a trace.
    """
    if not may_look(values) or all(result is None or _finite(result) for result in results):
        return
    if memory is not None and not _finite(memory):
        raise UserError("memory holds numbers that are not finite")
    named: dict[str, Any] = {f"keys[{n}]": factor for n, factor in enumerate(keys)}
    named |= {"values": values, "strength": strength, "gate": gate}
    named |= {f"queries[{n}]": part for n, part in enumerate(queries or ())}
    found = []
    for name, tensor in named.items():
        if isinstance(tensor, Tensor):
            bad = ~tensor.detach().isfinite().reshape(*strength.shape, -1).all(-1)
            steps = (bad if mask is None else bad & mask).flatten(0, -2).any(0).nonzero()
            found += [(int(step), name) for step in steps[:1]]
    if found:
        step, name = min(found, key=lambda each: each[0])
        raise UserError(f"{name} is not finite at step {step}; accepted: finite numbers")


def _finite(tensor: Tensor) -> bool:
    """Whether all is finite; a finite sum says so at the price of one pass."""
    tensor = tensor.detach()
    return math.isfinite(tensor.sum().item()) or bool(tensor.isfinite().all())


def _queries(queries: Tensors, sizes: tuple[int, ...], values: Tensor) -> None:
    *lead, time, size = values.shape
    if not _tensors(queries) or len(queries) != len(sizes):
        wanted = "(q,) for 1 key factor" if len(sizes) == 1 else "(n, e) for 2 key factors"
        raise UserError(f"queries is {_kind(queries)}; accepted: {wanted}, or None")
    _fits("queries[0]", queries[0], (*lead, time, sizes[0]), values)
    if len(sizes) == 1:
        return
    _fits("queries[1]", queries[1], (*lead, time, "reads", sizes[1]), values)
    reads = queries[1].shape[-2]
    if reads == 0:
        raise UserError("queries[1] has no reads; accepted: 1 or more")
    if reads > 1 and size != sizes[0]:
        raise UserError(
            f"{reads} reads in a chain ask with what they found: values have {size} features, keys[0] {sizes[0]}; "
            "accepted: equal sizes, or one read"
        )


def _fits(name: str, tensor: Tensor, shape: tuple[int | str, ...], values: Tensor) -> None:
    """Raise `UserError` unless the tensor goes with the values; a word in `shape` stands for any size."""
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
            f"{name} has shape {list(tensor.shape)}; accepted: [{wanted}], which fits values of {list(values.shape)}"
        )
    if tensor.device != values.device:
        raise UserError(
            f"{name} is on {tensor.device}, values on {values.device}; accepted: one device"
        )
    if tensor.dtype != values.dtype and not (
        tensor.is_floating_point() and torch.is_autocast_enabled(values.device.type)
    ):
        raise UserError(f"{name} is {tensor.dtype}, values {values.dtype}; accepted: one type")


def _mask(name: str, mask: Tensor, strength: Tensor) -> None:
    *lead, time = strength.shape
    shapes = [[*lead, time]] + [[lead[0], time]] * (len(lead) > 1)
    if list(mask.shape) not in shapes or mask.dtype != torch.bool or mask.device != strength.device:
        accepted = " or ".join(map(str, shapes))
        raise UserError(
            f"{name} is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool {accepted} on {strength.device}"
        )


def _tensors(given: object) -> bool:
    return isinstance(given, tuple) and all(isinstance(each, Tensor) for each in given)


def _kind(given: object) -> str:
    return f"a tuple of {len(given)}" if isinstance(given, tuple) else f"a {type(given).__name__}"
