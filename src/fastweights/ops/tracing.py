"""Whether a call runs on numbers or is being traced, compiled or transformed, when there are none to look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

P = ParamSpec("P")
T = TypeVar("T")


def recorded() -> bool:
    """Return whether the call is written down to be run again, as `torch.compile` and `torch.jit.trace` do.

    What reads memory behind torch's back must then be called as a registered operator.

    Example:
        >>> recorded()
        False
    """
    return (
        torch.compiler.is_compiling()
        or _get_current_dispatch_mode() is not None
        or torch._C._is_tracing()
    )


def traced() -> bool:
    """Return whether something stands between the call and its numbers: `torch.compile`, a fake tensor, `torch.func`.

    Example:
        >>> traced()
        False
    """
    return recorded() or transformed()


def transformed() -> bool:
    """Return whether `torch.func` or `torch.vmap` transforms the call.

    Example:
        >>> transformed()
        False
    """
    return torch._C._are_functorch_transforms_active()


def may_look(tensor: Tensor) -> bool:
    """Return whether Python may decide by a tensor's numbers, neither breaking a trace nor waiting for an accelerator.

    Example:
        >>> may_look(torch.zeros(1)), may_look(torch.zeros(1, device="meta"))
        (True, False)
    """
    return tensor.device.type == "cpu" and not traced()


def is_open(size: int) -> bool:
    """Return whether a size is left open by the program that `torch.export` is writing: what runs for any number of it.

    Example:
        >>> is_open(3)
        False
    """
    return isinstance(size, torch.SymInt) and torch.compiler.is_exporting()


def constant(function: Callable[P, T]) -> Callable[P, T]:
    """Do what `torch.compiler.assume_constant_result` does without importing the compiler, which takes a second."""
    vars(function)["_dynamo_marked_constant"] = True
    return function


@constant
def is_onnx() -> bool:
    """Return whether `torch.onnx.export` is writing a program, for which there are fewer operators.

    Example:
        >>> is_onnx()
        False
    """
    return torch.compiler.is_exporting() and torch.onnx.is_in_onnx_export()


@constant
def look_into_rnns() -> bool:
    """Let the compiler look into `torch.nn.LSTM` and `RNN`, whose weights layers read, until it has its graph.

    It refuses them otherwise, even where none is called. To be called while it is at work.
    """
    from torch._dynamo import config
    from torch._dynamo.symbolic_convert import InstructionTranslator

    if not config.allow_rnn:
        config.allow_rnn = True
        restore = partial(setattr, config, "allow_rnn", False)
        InstructionTranslator.current_tx().output.add_cleanup_hook(restore)
    return True
