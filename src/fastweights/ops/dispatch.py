"""What all ops do in one way: choose a backend and retry, widen types, leave autocast, fold leading dimensions.

An op is an `Op` with its backends, fastest first; the names in use are those that some op registers:

    reference   step by step in plain PyTorch, any device and dtype: the truth
    chunked     exact parallel form in plain PyTorch, any device and dtype
    cpu         fused kernels for the processor
    cuda        fused kernels for NVIDIA's devices
    auto        the fastest of an op's backends that can run

`types` states the types of results. Leading dimensions are folded into one; an op's `prepare` makes padding harmless.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from fastweights.errors import Unavailable, UserError, unknown
from fastweights.kernels import dense, ready
from fastweights.kernels.triton import ready as triton_ready
from fastweights.ops.entry import Backend, BackendWarning, Inputs, Options, Raw
from fastweights.ops.repeats import Repeats
from fastweights.ops.tracing import constant, recorded
from fastweights.ops.types import (
    all_tensors,
    autocasts,
    first_tensor,
    fold,
    result_types,
    unfold,
    with_fields,
    without_autocast,
)

OF_ALL_OPS = (ready.NO_NUMBA, triton_ready.NO_TRITON, triton_ready.UNCHECKED)
"""Reasons that hold for every op alike, and are said once for all."""

Facts = dict[str, object]
Results = TypeVar("Results", bound=tuple[object, ...])


class Op(Generic[Inputs, Options, Raw, Results]):
    """A recurrence over its backends. A subclass may say what padding and results need: `prepare`, `finish`, `empty`.

    Args:
        name: as users name it.
        backends: by name, fastest first; "reference" is among them and runs everything.

    Attributes:
        outputs: how many of the results, the first, are outputs; the others are state.
        repeats: calls that a backend has a shortcut for.
    """

    outputs = 1

    def __init__(self, name: str, backends: dict[str, Backend[Inputs, Options, Raw]]) -> None:
        self.name, self.backends = name, dict(backends)
        self._warned: set[str] = set()
        self.repeats = Repeats()
        _ops[name] = self

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names that a caller may ask for."""
        return ("auto", *self.backends)

    def prepare(self, inputs: Inputs, options: Options) -> Inputs:
        """Return inputs whose padded steps change nothing."""
        return inputs

    def finish(self, raw: Raw, inputs: Inputs, options: Options) -> Results:
        """Return the results, given a backend's and the inputs that it had."""
        return cast(Results, raw)

    def empty(self, inputs: Inputs) -> bool:
        """Return whether there is no step to run, which is left to the reference."""
        return not first_tensor(inputs).numel()

    def __call__(
        self,
        inputs: Inputs,
        options: Options,
        *,
        backend: str = "auto",
        leading: tuple[int, ...] = (),
        facts: dict[str, object],
    ) -> Results:
        """Run checked inputs.

        Args:
            inputs: a named tuple of tensors, and of tuples of tensors, numbers or None.
            options: what else the op's backends take.
            backend: one of `names`.
            leading: the sizes that all tensors begin with, if they are to be folded into one.
            facts: what a backend may not support.

        Raises:
            UserError: for an unknown backend, or one that cannot run; the message says why.
        """
        like, tensors = first_tensor(inputs), all_tensors(inputs)
        chosen_by = dense.dispatch_tensor(self.name, tensors, recorded())
        name = self.resolve(backend, chosen_by, **facts)
        floating, mixed = [x for x in tensors if x.is_floating_point()], autocasts(like.device)
        types = result_types(floating, like.device.type, mixed)
        folded = len(leading) > 1
        if folded or any(x.dtype != types.compute for x in floating):
            inputs = fold(inputs, types.compute, leading)
        with without_autocast(like.device) if mixed else nullcontext():
            inputs = self.prepare(inputs, options)
            while True:
                entry = self.backends["reference" if self.empty(inputs) else name]
                try:
                    raw = entry.run(inputs, options)
                    break
                except Unavailable as error:
                    self.mark_unavailable(name, str(error))
                name = self.resolve(backend, chosen_by, **facts)
            results = self.finish(raw, inputs, options)
        if entry.device is None and backend == "auto" and like.device.type in ("cuda", "mps"):
            reason = self._why_plain(chosen_by, facts)
            if reason is not None:
                self._warn(f"{self.name} runs in plain PyTorch ({name!r}): {reason}")
        if not (folded or mixed or types.output != types.compute):
            return results
        outputs = unfold(tuple(results[: self.outputs]), types.output, leading)
        state = unfold(tuple(results[self.outputs :]), types.compute, leading)
        return with_fields(results, (*outputs, *state))

    def resolve(self, requested: str, tensor: Tensor, **facts: object) -> str:
        """Return the name of the backend that runs on tensors like the one given; see `resolve`."""
        if requested == "auto":
            return self._fastest(tensor, facts, self._warn)
        if requested not in self.backends:
            raise unknown("backend", requested, self.names)
        reason = self.obstacle(requested, tensor, facts)
        if reason is not None:
            instead = self._fastest(tensor, facts, lambda message: None)
            raise UserError(
                f"backend {requested!r} cannot run {self.name}: {reason}; backend 'auto' runs {instead!r}"
            )
        return requested

    def mark_unavailable(self, name: str, reason: str) -> None:
        """Note that a backend turned out not to run here: "auto" passes it over from now on."""
        self.backends[name] = replace(self.backends[name], available=lambda: reason)

    def _fastest(self, tensor: Tensor, facts: Facts, warn: Callable[[str], None]) -> str:
        for name, backend in self.backends.items():
            elsewhere = backend.device not in (None, tensor.device.type)
            if elsewhere or (backend.device is not None and torch.compiler.is_exporting()):
                continue
            reason = unavailable(self.name, name)
            if reason is not None:
                missing = f"backend {name!r} of {self.name} is not available"
                warn(f"{missing}, a slower one runs: {reason}")
            elif backend.refusal(tensor, facts) is None:
                reason = backend.unchecked(tensor)
                if reason is None:
                    return name
                warn(f"backend {name!r} of {self.name} runs only if asked for by name: {reason}")
        raise UserError(f"no backend can run {self.name} on {tensor.device}, {tensor.dtype}")

    def _why_plain(self, tensor: Tensor, facts: Facts) -> str | None:
        """Why no kernels run on an accelerator, but for what `_fastest` has said."""
        device = tensor.device.type
        for name, backend in self.backends.items():
            if backend.device == device:
                return None if unavailable(self.name, name) else backend.refusal(tensor, facts)
        return f"no kernels of its own for {device}"

    def obstacle(self, name: str, tensor: Tensor, facts: Facts) -> str | None:
        """Return why a backend cannot run on tensors like the one given; None if it can."""
        backend = self.backends[name]
        if backend.device is not None and torch.compiler.is_exporting():
            return "exported programs, which run without this library, are plain PyTorch ('auto')"
        reason = unavailable(self.name, name)
        if reason is not None:
            return reason
        if backend.device not in (None, tensor.device.type):
            return f"the tensors are on {tensor.device}"
        return backend.refusal(tensor, facts)

    def _warn(self, message: str) -> None:
        common = next((reason for reason in OF_ALL_OPS if reason in message), None)
        key, warned = (message, self._warned) if common is None else (common, _warned)
        if key not in warned and not torch.compiler.is_compiling():
            warned.add(key)
            warnings.warn(message, BackendWarning, stacklevel=6)


_ops: dict[str, Op[Any, Any, Any, Any]] = {}
_warned: set[str] = set()


def names(op: str) -> tuple[str, ...]:
    """Return the backends that an op may be asked for, "auto" first.

    Example:
        >>> names("lstm")
        ('auto', 'cpu', 'reference')
    """
    return _ops[op].names


def resolve(op: str, requested: str, tensor: Tensor, **facts: object) -> str:
    """Return the name of the backend that runs `op` on tensors like the one given.

    Args:
        op: a registered op, such as "fast_weight_rnn".
        requested: one of its `names`.
        tensor: any tensor with the device and dtype of the data.
        facts: options of the op that a backend may not support.

    Raises:
        UserError: for an unknown name, or a backend that cannot run; the message says why.

    Warns:
        BackendWarning: once for each backend that "auto" would have taken but for its being broken here.

    Example:
        >>> resolve("fast_weight_rnn", "chunked", torch.zeros(1))
        'chunked'
    """
    return _ops[op].resolve(requested, tensor, **facts)


def passed_over(op: str, tensor: Tensor, **facts: object) -> dict[str, str | None]:
    """Return for each backend of an op, fastest first, why "auto" passes it over; the first that has None runs.

    Example:
        >>> passed_over("fast_weight_rnn", torch.zeros(1))["chunked"] is None
        True
    """
    return {
        name: _ops[op].obstacle(name, tensor, facts) or each.unchecked(tensor)
        for name, each in _ops[op].backends.items()
    }


def is_fused(op: str, name: str) -> bool:
    """Return whether a backend has kernels of its own, rather than being plain PyTorch.

    Example:
        >>> is_fused("lstm", "cpu"), is_fused("lstm", "reference")
        (True, False)
    """
    return _ops[op].backends[name].device is not None


def backend_or_auto(op: str, requested: str) -> str:
    """Return what a layer with several ops asks one of them for: the backend it was asked for itself, or "auto".

    Args:
        op: a registered op.
        requested: a backend of another op, which this one need not have.

    Example:
        >>> backend_or_auto("lstm", "reference"), backend_or_auto("lstm", "chunked")
        ('reference', 'auto')
    """
    return requested if requested in _ops[op].backends else "auto"


def describe(op: str | None = None) -> dict[str, str]:
    """Describe every backend: what it is and whether it can run here.

    Args:
        op: one op; None for all, with keys "op/backend".

    Example:
        >>> describe("fast_weight_rnn")["reference"]
        'step by step, A written out, plain PyTorch; ready'
    """
    if op is None:
        return {f"{each}/{k}": v for each in sorted(_ops) for k, v in describe(each).items()}
    lines = {}
    for name, backend in _ops[op].backends.items():
        reason = unavailable(op, name)
        state = "ready" if reason is None else f"not available: {reason}"
        lines[name] = f"{backend.summary}; {state}"
    return lines


@constant
def unavailable(op: str, name: str) -> str | None:
    """Return why a backend of an op cannot run on this machine; None if it can.

    Example:
        >>> unavailable("fast_weight_rnn", "reference") is None
        True
    """
    return _ops[op].backends[name].available()
