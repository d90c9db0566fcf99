"""What a caller may pass to a layer, and the one clear line it gets otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fastweights.errors import UserError, unknown
from fastweights.nn.parts.embedded import Embedded
from fastweights.ops.lstm.arguments import CLASS_TYPES
from fastweights.ops.tracing import may_look

if TYPE_CHECKING:
    from fastweights.nn.backbone import Backbone


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


def check_choice(kind: str, given: str, accepted: Iterable[str]) -> None:
    """Raise `UserError` unless the name given is one of those accepted."""
    if given not in accepted:
        raise unknown(kind, str(given), accepted)


def check_input(layer: Backbone, x: Tensor, axes: str) -> None:
    """Raise `UserError` unless x fits the layer.

    Args:
        layer: the layer.
        x: vectors [*axes, input], or classes [*axes] for a layer that takes them.
        axes: "batch, time" or "batch".
    """
    name, like = type(layer).__name__, layer.anchor
    classes = layer.takes_classes and not x.is_floating_point()
    rank = axes.count(",") + 1
    if 0 in x.shape or x.dim() != (rank if classes else rank + 1):
        wanted = f"[{axes}] classes or [{axes}, " if layer.takes_classes else f"[{axes}, "
        raise UserError(
            f"{name}: input has shape {list(x.shape)}; accepted: {wanted}{layer.input_size}], not empty"
        )
    if x.device != like.device:
        raise UserError(f"{name}: input is on {x.device}, its parameters on {like.device}")
    if classes:
        return
    if x.shape[-1] != layer.input_size:
        raise UserError(
            f"{name}: input has {x.shape[-1]} features; accepted: input_size={layer.input_size}"
        )
    mixed = torch.is_autocast_enabled(x.device.type) and x.is_floating_point()
    if x.dtype != like.dtype and not (mixed and torch.float64 not in (x.dtype, like.dtype)):
        raise UserError(f"{name}: input is {x.dtype}, its parameters are {like.dtype}")


def check_classes(layer: Backbone, x: Tensor | Embedded) -> None:
    """Raise `UserError` if x, of a shape that fits the layer, has classes and one of them has no vector."""
    name = type(layer).__name__
    if isinstance(x, Embedded):
        check_tokens(name, x.classes, len(x.table))
    elif not x.is_floating_point():
        check_tokens(name, x, layer.input_size)


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


def check_mask(name: str, mask: Tensor, x: Tensor) -> None:
    """Raise `UserError` unless the mask is a bool for each step of x; its form is for `padding`."""
    if mask.dtype != torch.bool or mask.shape != x.shape[:2] or mask.device != x.device:
        raise UserError(
            f"{name} is {mask.dtype} {list(mask.shape)} on {mask.device}; "
            f"accepted: torch.bool {list(x.shape[:2])} on {x.device}"
        )


def check_state(layer: Backbone, state: Any, batch: int) -> None:
    """Raise `UserError` unless `state` is of the layer's type, for `batch` rows."""
    name, wanted_type = type(layer).__name__, layer.state_type.__name__
    if type(state) is not layer.state_type:
        raise UserError(
            f"{name}: the state is a {type(state).__name__}; accepted: the layer's own {wanted_type}"
        )
    like = layer.anchor
    for field, tensor, shape in zip(state._fields, state, layer.state_shapes(), strict=True):
        wanted = [batch, *shape]
        if list(tensor.shape) != wanted:
            raise UserError(
                f"{name}: state.{field} has shape {list(tensor.shape)}; accepted: {wanted}"
            )
        dtype = torch.int64 if field in layer.counters else layer.state_dtype
        if tensor.dtype != dtype or tensor.device != like.device:
            raise UserError(
                f"{name}: state.{field} is {tensor.dtype} on {tensor.device}; "
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
