"""What every recurrent state has in common: named tuples of tensors, batch as dimension 0, nested for stacks.

The functions work on the state of any backbone, so carrying, cutting, resetting and moving a state is
written once, here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils import _pytree as pytree

S = TypeVar("S")


def register(kind: type) -> None:
    """Register a named tuple of states with torch: `torch.load` and `torch.export.save` then know it by itself.

    `nn.Backbone` does so for the `state_type` of every layer. A program that loads a state imports its layer first.
    A state also gets `detach` and `to` of this module as methods.

    Example:
        >>> import io, torch
        >>> from fastweights.nn import LSTM
        >>> file = io.BytesIO()
        >>> torch.save(LSTM(2, 3).initial_state(1), file)
        >>> _ = file.seek(0)
        >>> torch.load(file, weights_only=True).hidden.shape
        torch.Size([1, 3])
        >>> LSTM(2, 3).initial_state(1).to(torch.float64).cell.dtype
        torch.float64
    """
    for name, method in (("detach", detach), ("to", to)):
        if not hasattr(kind, name):
            setattr(kind, name, method)
    torch.serialization.add_safe_globals([kind])
    if kind not in pytree.SUPPORTED_NODES:
        # The name is private, but torch has no other way to save a program that returns a named tuple.
        name = f"{kind.__module__}.{kind.__qualname__}"
        pytree._register_namedtuple(kind, serialized_type_name=name)


def map_tensors(function: Callable[[Tensor], Tensor], state: S) -> S:
    """Apply `function` to every tensor of a state and keep its structure.

    Args:
        function: called once for each tensor.
        state: a tensor, None, or a (named) tuple of states, however deeply nested.

    Raises:
        TypeError: if the state holds anything else.
    """
    mapped: Any
    if state is None:
        return state
    if isinstance(state, Tensor):
        mapped = function(state)
    elif isinstance(state, tuple):
        parts = [map_tensors(function, part) for part in state]
        mapped = type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    else:
        raise TypeError(f"a state is a tuple of tensors, not {type(state).__name__}")
    return mapped


def tensors(state: object) -> list[Tensor]:
    """List the tensors of a state, in the order of its fields."""
    found: list[Tensor] = []
    map_tensors(lambda tensor: found.append(tensor) or tensor, state)
    return found


def detach(state: S) -> S:
    """Cut a state off its history, as truncated back-propagation through time does between segments.

    Example:
        >>> import torch
        >>> hidden = torch.ones(2, 3, requires_grad=True) * 2
        >>> detach((hidden,))[0].requires_grad
        False
    """
    return map_tensors(Tensor.detach, state)


def reset(state: S, rows: Bool[Tensor, " batch"]) -> S:
    """Zero the state of the rows marked True (new sequences) and leave the others alone.

    Every backbone starts from zeros, so a row reset is a row started afresh. The state given is not changed.

    Example:
        >>> import torch
        >>> reset((torch.ones(2, 1),), torch.tensor([True, False]))[0].flatten().tolist()
        [0.0, 1.0]
    """

    def zero(tensor: Tensor) -> Tensor:
        marked = rows.to(tensor.device).view(-1, *([1] * (tensor.dim() - 1)))
        return tensor.masked_fill(marked, 0)

    return map_tensors(zero, state)


def select(state: S, rows: Int[Tensor, " chosen"] | Bool[Tensor, " batch"]) -> S:
    """Select the given rows of the batch, in the order given (a row may be taken twice, as beam search does).

    Example:
        >>> import torch
        >>> select((torch.arange(3.0)[:, None],), torch.tensor([2, 0]))[0].flatten().tolist()
        [2.0, 0.0]
    """
    return map_tensors(lambda tensor: tensor[rows.to(tensor.device)], state)


def to(state: S, *args: Any, **kwargs: Any) -> S:
    """Move or cast every floating tensor of a state as `torch.Tensor.to` does; counters keep their dtype.

    Example:
        >>> import torch
        >>> to((torch.zeros(1, 2),), torch.float64)[0].dtype
        torch.float64
    """

    def move(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            return tensor.to(*args, **kwargs)
        # Not cast and cast back: bfloat16 has no 301.
        device = tensor.new_empty(0).to(*args, **kwargs).device
        return tensor.to(device, non_blocking=kwargs.get("non_blocking", False))

    return map_tensors(move, state)


class States(tuple[Any, ...]):
    """The states of a stack's layers, the lowest first.

    Example:
        >>> import torch
        >>> States([(torch.ones(1, requires_grad=True),)]).detach()[0][0].requires_grad
        False
    """

    __slots__ = ()
    detach = detach
    to = to


def _with_keys(states: States) -> tuple[list[tuple[Any, Any]], None]:
    return [(pytree.SequenceKey(place), each) for place, each in enumerate(states)], None


torch.serialization.add_safe_globals([States])
pytree.register_pytree_node(
    States,
    lambda states: (list(states), None),
    lambda states, _: States(states),
    serialized_type_name="fastweights.state.States",
    flatten_with_keys_fn=_with_keys,
)
