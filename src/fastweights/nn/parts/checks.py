"""Checks of what a caller passes to a layer; each error says what is accepted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastweights.errors import UserError
from fastweights.ops.lstm import CLASS_TYPES
from fastweights.ops.tracing import may_look
from fastweights.ops.types import autocasts


def check_sizes(**sizes: int) -> None:
    """Raise `UserError` for a size that is not a positive integer."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UserError(f"{name} is {size!r}; accepted: a positive integer")


def check_range(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise `UserError` unless the value is a finite number and low ≤ value ≤ high."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and low <= value <= high):
        bounded = math.isfinite(low) or math.isfinite(high)
        bounds = f" from {low:g} to {high:g}" if bounded else ""
        raise UserError(f"{name} is {value!r}; accepted: a finite number{bounds}")


def check_tensor(layer: str, name: str, given: object) -> None:
    """Raise `UserError` unless something is a tensor; say how what `torch.nn` also takes becomes one."""
    if isinstance(given, Tensor):
        return
    if isinstance(given, PackedSequence):
        how = "pad_packed_sequence(…, batch_first=True), with mask= for the real steps"
    else:
        how = "as torch.as_tensor makes one of numbers"
    raise UserError(f"{layer}: {name} is a {type(given).__name__}; accepted: a tensor, {how}")


def check_tensors(
    layer: str, needed: Mapping[str, object], optional: Mapping[str, object | None]
) -> None:
    """Raise `UserError` unless all are tensors, the optional ones where they are given."""
    for name, given in (*needed.items(), *optional.items()):
        if given is not None or name in needed:
            check_tensor(layer, name, given)


def check_input(
    layer: str, x: Tensor, axes: str, input_size: int, takes_classes: bool, like: Tensor
) -> None:
    """Raise `UserError` unless x fits a layer.

    Args:
        layer: the layer's name, for the message.
        x: vectors [*axes, input], or classes [*axes] for a layer that takes them.
        axes: "batch, time" or "batch".
        input_size: features of a vector.
        takes_classes: whether the layer takes classes.
        like: a tensor of the layer's dtype and device.
    """
    check_tensor(layer, "input", x)
    classes = takes_classes and not x.is_floating_point()
    rank = axes.count(",") + 1
    if 0 in x.shape or x.dim() != (rank if classes else rank + 1):
        wanted = f"[{axes}] classes or [{axes}, " if takes_classes else f"[{axes}, "
        raise UserError(
            f"{layer}: input has shape {list(x.shape)}; accepted: {wanted}{input_size}], not empty"
        )
    if x.device != like.device:
        raise UserError(f"{layer}: input is on {x.device}, its parameters on {like.device}")
    if classes:
        return
    if x.shape[-1] != input_size:
        raise UserError(
            f"{layer}: input has {x.shape[-1]} features; accepted: input_size={input_size}"
        )
    mixed = autocasts(x.device) and x.is_floating_point()
    if x.dtype != like.dtype and not (mixed and torch.float64 not in (x.dtype, like.dtype)):
        raise UserError(f"{layer}: input is {x.dtype}, its parameters are {like.dtype}")


def check_tokens(name: str, tokens: Tensor, count: int) -> None:
    """Raise `UserError` unless all are integers from 0 to count - 1, where looking takes no waiting for a GPU."""
    if tokens.dtype not in CLASS_TYPES:
        wanted = " or ".join(str(each) for each in CLASS_TYPES)
        raise UserError(f"{name}: classes are {tokens.dtype}; accepted: {wanted}")
    if tokens.numel() and may_look(tokens):
        least, most = (int(bound) for bound in tokens.aminmax())
        if least < 0 or most >= count:
            wrong = least if least < 0 else most
            raise UserError(
                f"{name}: class {wrong} is outside its range; accepted: 0 to {count - 1}"
            )


def as_mask(mask: Tensor | None) -> Tensor | None:
    """Return a mask as bools: integers, as tokenizers make them, are True where they are not 0.

    Example:
        >>> as_mask(torch.tensor([1, 1, 0]))
        tensor([ True,  True, False])
    """
    if mask is None or mask.dtype == torch.bool or mask.is_floating_point() or mask.is_complex():
        return mask
    return mask.bool()


def check_mask(layer: str, name: str, mask: Tensor, x: Tensor) -> None:
    """Raise `UserError` unless the mask, by `as_mask`, is a bool for each step of x; its form is for `padding`."""
    check_tensor(layer, name, mask)
    if mask.dtype != torch.bool or mask.shape != x.shape[:2] or mask.device != x.device:
        raise UserError(
            f"{name} is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool, or integers 1 and 0, {list(x.shape[:2])} on {x.device}"
        )


def check_state(
    layer: str,
    state: object,
    kind: type,
    layout: Mapping[str, tuple[tuple[int, ...], torch.dtype]],
    like: Tensor,
) -> None:
    """Raise `UserError` unless `state` is a `kind` whose fields have these shapes and dtypes.

    Where a dtype is wider than the layer's own, that of `like`, the latter will do.
    """
    if type(state) is not kind:
        count = "one tensor" if len(layout) == 1 else f"{len(layout)} tensors"
        made = f", which layer.state_type(*state) makes of its {count}"
        hint = made if isinstance(state, tuple) else ""
        raise UserError(
            f"{layer}: the state is a {type(state).__name__}; "
            f"accepted: the layer's own {kind.__name__}{hint}"
        )
    for field, (shape, dtype) in layout.items():
        tensor: Tensor = getattr(state, field)
        if tensor.shape != shape:
            raise UserError(
                f"{layer}: state.{field} has shape {list(tensor.shape)}; accepted: {list(shape)}"
            )
        fits = tensor.dtype == dtype or (dtype.is_floating_point and tensor.dtype == like.dtype)
        if not fits or tensor.device != like.device:
            raise UserError(
                f"{layer}: state.{field} is {tensor.dtype} on {tensor.device}; "
                f"accepted: {dtype} on {like.device}"
            )


def check_steps(steps: Sequence[int] | None, time: int) -> tuple[int, ...]:
    """Return the steps as a tuple (None: all), or raise `UserError` for one outside the sequence."""
    if steps is None:
        return tuple(range(time))
    outside = [step for step in steps if not 0 <= step < time]
    if outside:
        raise UserError(f"step {outside[0]} is outside the sequence; accepted: 0 to {time - 1}")
    return tuple(steps)
