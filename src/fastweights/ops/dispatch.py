"""Which code runs a recurrence: the backends by name, what each can do, and how one is chosen.

An op registers its backends; nothing here knows an op by name. The names are the same everywhere:

    reference   step by step in plain PyTorch, any device and dtype: the truth
    chunked     exact parallel form in plain PyTorch, any device and dtype
    cpu         fused kernels for the processor
    cuda        fused kernels for the GPU
    auto        the fastest of them that can run
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from fastweights.errors import UserError, unknown
from fastweights.ops.tracing import transformed

P = ParamSpec("P")
R = TypeVar("R")

PREFERENCE = ("cuda", "cpu", "chunked", "reference")
NAMES = ("auto", *PREFERENCE)


class BackendWarning(UserWarning):
    """A fused backend that should have run cannot, and a slower one runs instead."""


class Unavailable(RuntimeError):
    """A backend found, when it ran, that it cannot run on this machine; the message says why."""


def _always() -> None:
    return None


def _everything(tensor: Tensor, **facts: object) -> None:
    return None


@dataclass(frozen=True)
class Backend:
    """One way to run an op.

    Attributes:
        summary: a line that says what it is.
        device: the only type of device that its kernels run on; None means plain PyTorch, which runs on any and which
            `torch.func` can transform.
        available: says why it cannot run on this machine at all, None if it can.
        supports: called with the tensor and the op's facts; says why it cannot run those, None if it can.
    """

    summary: str
    device: str | None = None
    available: Callable[[], str | None] = _always
    supports: Callable[..., str | None] = _everything


_table: dict[str, dict[str, Backend]] = {}
_warned: set[tuple[str, str]] = set()


def register(op: str, name: str, backend: Backend) -> None:
    """Enter a backend of an op under one of the names above."""
    if name not in PREFERENCE:
        raise unknown("backend", name, PREFERENCE)
    _table.setdefault(op, {})[name] = backend


def withdraw(op: str, name: str, reason: str) -> None:
    """Note that a backend turned out not to run here: "auto" passes it over from now on."""
    _table[op][name] = replace(_table[op][name], available=lambda: reason)


def resolve(op: str, requested: str, tensor: Tensor, **facts: object) -> str:
    """Name the backend that runs `op` on tensors like the one given.

    Args:
        op: a registered op, such as "fast_weight_rnn".
        requested: one of the names above.
        tensor: any tensor with the device, dtype and last dimension of the data.
        facts: options of the op that a backend may not support.

    Returns:
        "reference", "chunked", "cpu" or "cuda".

    Raises:
        UserError: for an unknown name, or a backend that cannot run; the message says why.

    Warns:
        BackendWarning: once for each backend that "auto" would have taken but for its being broken here.

    Example:
        >>> resolve("fast_weight_rnn", "chunked", torch.zeros(1))
        'chunked'
    """
    backends = _table[op]
    if requested != "auto":
        if requested not in NAMES:
            raise unknown("backend", requested, NAMES)
        reason = _obstacle(op, requested, tensor, facts)
        if reason is not None:
            raise UserError(f"backend {requested!r} cannot run {op}: {reason}")
        return requested
    for name in PREFERENCE:
        if name not in backends or backends[name].device not in (None, tensor.device.type):
            continue
        reason = unavailable(op, name)
        if reason is not None:
            _warn_once(op, name, reason)
        elif _refusal(backends[name], tensor, facts) is None:
            return name
    raise UserError(f"no backend can run {op} on {tensor.device}, {tensor.dtype}")


def asked_of(op: str, requested: str) -> str:
    """Name what a layer with several ops asks one of them for: the backend that it was asked for itself, or "auto".

    Args:
        op: a registered op.
        requested: a backend of another op, which this one need not have.

    Example:
        >>> asked_of("lstm", "reference"), asked_of("lstm", "chunked")
        ('reference', 'auto')
    """
    return requested if requested in _table[op] else "auto"


def describe(op: str | None = None) -> dict[str, str]:
    """Say of every backend what it is and whether it can run here.

    Args:
        op: one op; None for all, with keys "op/backend".

    Example:
        >>> describe("fast_weight_rnn")["cuda"]
        'not available: there is no cuda backend for fast_weight_rnn'
    """
    if op is None:
        return {f"{each}/{k}": v for each in sorted(_table) for k, v in describe(each).items()}
    lines = {}
    for name in PREFERENCE:
        reason = unavailable(op, name)
        summary = _table[op][name].summary if name in _table[op] else None
        status = "ready" if reason is None else f"not available: {reason}"
        lines[name] = status if summary is None else f"{summary}; {status}"
    return lines


def _obstacle(op: str, name: str, tensor: Tensor, facts: dict[str, object]) -> str | None:
    reason = unavailable(op, name)
    if reason is not None:
        return reason
    backend = _table[op][name]
    if backend.device not in (None, tensor.device.type):
        return f"the tensors are on {tensor.device}"
    return _refusal(backend, tensor, facts)


def _refusal(backend: Backend, tensor: Tensor, facts: dict[str, object]) -> str | None:
    if backend.device is not None and transformed():
        return "torch.func transforms the call, which kernels have no rules for"
    return backend.supports(tensor, **facts)


def _constant(function: Callable[P, R]) -> Callable[P, R]:
    """Do what `torch.compiler.assume_constant_result` does without importing the compiler, which takes a second."""
    vars(function)["_dynamo_marked_constant"] = True
    return function


@_constant
def unavailable(op: str, name: str) -> str | None:
    """Say why a backend of an op cannot run on this machine; None if it can.

    Example:
        >>> unavailable("fast_weight_rnn", "reference") is None
        True
    """
    if name not in _table[op]:
        return f"there is no {name} backend for {op}"
    return _table[op][name].available()


def _warn_once(op: str, name: str, reason: str) -> None:
    if (op, name) not in _warned and not torch.compiler.is_compiling():
        _warned.add((op, name))
        message = f"backend {name!r} of {op} is not available, a slower one runs: {reason}"
        warnings.warn(message, BackendWarning, stacklevel=4)
