"""A backend: one way to run an op, and why it may not run what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor

from fastweights.kernels import dense
from fastweights.ops.tracing import recorded, transformed

Inputs = TypeVar("Inputs", bound=tuple[object, ...])
Options = TypeVar("Options")
Raw = TypeVar("Raw")


class BackendWarning(UserWarning):
    """A slower backend runs than a user may expect: a fused one is broken here, unchecked, or there is none."""


@dataclass(frozen=True)
class Backend(Generic[Inputs, Options, Raw]):
    """One way to run an op.

    Attributes:
        summary: a line that says what it is.
        run: called with the op's inputs and options, in the computation's type, with one leading dimension.
        device: the only type of device that its kernels run on; None means plain PyTorch, which runs on any and which
            `torch.func` can transform.
        available: returns why it cannot run on this machine at all, None if it can.
        supports: called with a tensor and the op's facts; returns why it cannot run those, None if it can.
        unchecked: called with a tensor; returns why "auto" passes it over, which is said once, though it runs those if
            it is asked for by name.
        shortcut: called with the inputs and options of a call whose signature `repeats` knows; returns what runs
            all calls of that signature at once, given their inputs, or None.
    """

    summary: str
    run: Callable[[Inputs, Options], Raw]
    device: str | None = None
    available: Callable[[], str | None] = lambda: None
    supports: Callable[..., str | None] = lambda tensor, **facts: None
    unchecked: Callable[[Tensor], str | None] = lambda tensor: None
    shortcut: Callable[[Inputs, Options], Callable[[Inputs], Any] | None] = lambda inputs, options: (
        None
    )

    def refusal(self, tensor: Tensor, facts: dict[str, object]) -> str | None:
        """Return why it cannot run on tensors like the one given, with an op's facts; None if it can."""
        if self.device is None:
            return self.supports(tensor, **facts)
        if transformed():
            return "torch.func transforms the call, which kernels have no rules for"
        return dense.obstacle(tensor, recorded()) or self.supports(tensor, **facts)
