"""Layers that a tool has put another module around: activation checkpointing, `torch.compile`, or the user's own."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

from fastweights.errors import UserError

M = TypeVar("M", bound=nn.Module)


def inside(module: nn.Module, kind: type[M]) -> M:
    """Return a module of a kind, or the one that it is put around.

    What a layer says of itself is asked of what is inside; what runs is the module around it.

    Raises:
        UserError: if there is none inside, or there are several beside each other.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> inside(nn.Sequential(layer), nn.Linear) is layer
        True
    """
    if isinstance(module, kind):
        return module
    found = [each for each in module.modules() if isinstance(each, kind)]
    if not found or not set(found) <= set(found[0].modules()):
        count = "no" if not found else "more than one"
        raise UserError(
            f"a {type(module).__name__} has {count} {kind.__name__} in it; "
            f"accepted: a {kind.__name__}, or a module around one"
        )
    return found[0]


def has_hooks(module: nn.Module) -> bool:
    """Return whether calling a module does more than its `forward`.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda *given: None)
        >>> has_hooks(layer), has_hooks(nn.Linear(2, 3))
        (True, False)
    """
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )
