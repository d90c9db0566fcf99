"""Whether a module's weights may be read in its place, and the refusal where they may not.

A layer whose recurrence is fused reads the weights of its modules instead of calling them. That gives what calling
gives only of a plain module: a class of torch's own, without hooks, adapters or a forward of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from fastweights.errors import UserError

KNOWN = (nn.Linear, nn.LayerNorm, nn.LSTM, nn.GRU, nn.RNN)
"""Classes whose weights layers read."""


def is_plain(module: nn.Module, known: tuple[type[nn.Module], ...] = KNOWN) -> bool:
    """Return whether reading a module's weights, once, gives what calling it gives.

    Parametrised weights are computed whenever they are read, in a class that torch makes, and are plain.

    Args:
        module: any.
        known: the classes, exactly, whose forward the caller replaces.

    Example:
        >>> linear = nn.Linear(2, 3)
        >>> is_plain(linear), is_plain(nn.Sequential(linear))
        (True, False)
        >>> handle = linear.register_forward_hook(lambda module, given, result: result + 1)
        >>> is_plain(linear)
        False
    """
    return _is_known(module, known) and next(_hooks(module), None) is None


def read(owner: nn.Module, name: str) -> nn.Module:
    """Return a module of a layer, whose weights are then as a call of it would make them.

    Hooks that recompute a weight (pruning, the older weight norm and spectral norm) run as at a call.

    Args:
        owner: the layer.
        name: the module's, in the layer.

    Raises:
        UserError: if a call would do more than its class and weights say.

    Example:
        >>> read(nn.Sequential(nn.Linear(2, 3)), "0")
        Linear(in_features=2, out_features=3, bias=True)
    """
    module: nn.Module = getattr(owner, name)
    if not _is_known(module, KNOWN):
        raise _refusal(owner, name, f"a {type(module).__name__} with a forward of its own")
    for hook in _hooks(module):
        if not (_recomputes(hook) and callable(hook)):
            raise _refusal(owner, name, f"a {type(module).__name__} with hooks")
        hook(module, ())
    return module


def _refusal(owner: nn.Module, name: str, given: str) -> UserError:
    return UserError(
        f"{type(owner).__name__}.{name} is {given}, and the layer reads its weights without a call; accepted: "
        "torch's own module (merge an adapter into it, remove the hooks)"
    )


def _recomputes(hook: object) -> bool:
    """Return whether a hook of torch computes a weight anew before each call, and does nothing else."""
    from torch.nn.utils.prune import (
        BasePruningMethod,  # here, since torch does not import it by itself
    )

    return isinstance(hook, BasePruningMethod | SpectralNorm | WeightNorm)


def _is_known(module: nn.Module, known: tuple[type[nn.Module], ...]) -> bool:
    kind = type(module)
    parametrised = kind not in known and parametrize.is_parametrized(module)
    if (kind.__bases__[0] if parametrised else kind) not in known:
        return False
    return "forward" not in module.__dict__


def _hooks(module: nn.Module) -> Iterator[object]:
    """Yield what acts at a call of a module: its hooks, and those on all modules that are not torch's observers."""
    yield from module._forward_pre_hooks.values()
    yield from module._forward_hooks.values()
    yield from module._backward_pre_hooks.values()
    yield from module._backward_hooks.values()
    yield from _foreign(torch_module._global_forward_pre_hooks.values())
    yield from _foreign(torch_module._global_forward_hooks.values())
    yield from _foreign(torch_module._global_backward_pre_hooks.values())
    yield from _foreign(torch_module._global_backward_hooks.values())


def _foreign(hooks: Iterable[object]) -> Iterator[object]:
    """Yield hooks but torch's own on all modules, which count and look (`FlopCounterMode`)."""
    for hook in hooks:
        if not str(getattr(hook, "__module__", "")).startswith("torch."):
            yield hook
