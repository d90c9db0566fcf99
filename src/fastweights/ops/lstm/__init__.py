"""The recurrence of the long short-term memory: one public function over all its backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from fastweights.ops import dispatch as backends
from fastweights.ops import padding
from fastweights.ops.lstm import arguments, reference
from fastweights.ops.lstm.arguments import CLASS_TYPES
from fastweights.ops.lstm.cpu import entry as fused

__all__ = ["CLASS_TYPES", "lstm"]

OP = "lstm"


def lstm(
    gates: Float[Tensor, "batch time gates"] | Float[Tensor, "classes gates"],
    recurrent_weight: Float[Tensor, "gates hidden"],
    *,
    classes: Integer[Tensor, "batch time"] | None = None,
    hidden: Float[Tensor, "batch hidden"] | None = None,
    cell: Float[Tensor, "batch hidden"] | None = None,
    mask: Bool[Tensor, "batch time"] | None = None,
    backend: str = "auto",
) -> tuple[
    Float[Tensor, "batch time hidden"],
    Float[Tensor, "batch hidden"],
    Float[Tensor, "batch hidden"],
]:
    """Run a long short-term memory over a sequence, from the input's share of its gates.

        i, f, g, o = gates(t) + W h(t-1)
        c(t) = σ(f) c(t-1) + σ(i) tanh(g)
        h(t) = σ(o) tanh(c(t))

    Args:
        gates: [batch, time, 4 hidden], W_ih x(t) and both biases, in the order i, f, g, o of `torch.nn.LSTM`. With
            `classes`, a row of 4 hidden for each class: where few words make up long sequences, their gates are
            computed once, and the fused kernels read them where they stand.
        recurrent_weight: W [4 hidden, hidden], `weight_hh` of `torch.nn.LSTM`.
        classes: [batch, time] integers, the row of `gates` that each step takes.
        hidden: h(0) [batch, hidden]; None means zeros.
        cell: c(0) [batch, hidden]; None means zeros.
        mask: [batch, time] bool, True = real. Padding comes before or after all real steps of a row; what stands there
            is not looked at.
        backend: "auto", "reference" or "cpu". Speed alone.

    Returns:
        outputs [batch, time, hidden], exactly 0 at padded steps; h and c [batch, hidden] after each row's last real
        step (rows without one keep their state).
        The computation runs in float32 or wider. Under autocast the outputs have the autocast type; the state has the
        type of `recurrent_weight`.

    Raises:
        UserError: for arguments that do not fit each other, a class without a row, padding between real steps, or a
            backend that cannot run.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 (the forget gate).

    Example:
        >>> outputs, h, c = lstm(torch.ones(2, 5, 12), torch.ones(12, 3))
        >>> outputs.shape, h.shape, c.shape
        (torch.Size([2, 5, 3]), torch.Size([2, 3]), torch.Size([2, 3]))
        >>> looked_up, _, _ = lstm(torch.ones(7, 12), torch.ones(12, 3), classes=torch.zeros(2, 5, dtype=torch.long))
        >>> torch.equal(looked_up, outputs)
        True
    """
    options = {"classes": classes, "hidden": hidden, "cell": cell}
    arguments.check(gates, recurrent_weight, mask=mask, **options)
    name = backends.resolve(OP, backend, gates)
    try:
        return _run(name, gates, recurrent_weight, options, mask)
    except backends.Unavailable as error:
        backends.withdraw(OP, name, str(error))
        name = backends.resolve(OP, backend, gates)
    return _run(name, gates, recurrent_weight, options, mask)


RUNNERS: dict[str, Callable[..., tuple[Tensor, Tensor, Tensor]]] = {
    "reference": reference.run,
    "cpu": fused.run,
}


def _run(
    name: str,
    gates: Tensor,
    recurrent_weight: Tensor,
    options: dict[str, Any],
    mask: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a backend in a wide enough type, outside autocast, and bring outputs and state into theirs."""
    device, output_type, state_type = gates.device.type, gates.dtype, recurrent_weight.dtype
    compute = torch.promote_types(torch.promote_types(gates.dtype, state_type), torch.float32)
    gates, recurrent_weight = gates.to(compute), recurrent_weight.to(compute)
    options = {
        name: x.to(compute) if x is not None and x.is_floating_point() else x
        for name, x in options.items()
    }
    if torch.is_autocast_enabled(device) and compute == torch.float32:
        output_type = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        outputs, h, c = _run_padded(name, gates, recurrent_weight, options, mask)
    return outputs.to(output_type), h.to(state_type), c.to(state_type)


def _run_padded(
    name: str,
    gates: Tensor,
    recurrent_weight: Tensor,
    options: dict[str, Any],
    mask: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Bring the real steps of every row to the front, and back."""
    if mask is None:
        return _run_backend(name, gates, recurrent_weight, lengths=None, **options)
    lengths, shift = padding.lengths_and_shift(mask)
    if options["classes"] is None:
        gates = padding.to_front(gates, shift)
    else:
        real = options["classes"].masked_fill(~mask, 0)
        options = options | {"classes": padding.to_front(real, shift)}
    outputs, h, c = _run_backend(name, gates, recurrent_weight, lengths=lengths, **options)
    return padding.to_back(outputs, shift), h, c


def _run_backend(
    name: str,
    gates: Tensor,
    recurrent_weight: Tensor,
    *,
    classes: Tensor | None,
    hidden: Tensor | None,
    cell: Tensor | None,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a backend, or nothing where there is no step."""
    batch, time = (gates if classes is None else classes).shape[:2]
    size = recurrent_weight.shape[1]
    if time == 0:
        zero = gates.new_zeros(batch, size)
        h, c = (zero if state is None else state for state in (hidden, cell))
        return gates.new_zeros(batch, 0, size), h, c
    return RUNNERS[name if batch else "reference"](
        gates, recurrent_weight, classes=classes, hidden=hidden, cell=cell, lengths=lengths
    )


backends.register(OP, "reference", backends.Backend("step by step, plain PyTorch"))
backends.register(
    OP,
    "cpu",
    backends.Backend(
        "fused kernels, hand-written backward, Numba",
        device="cpu",
        available=fused.available,
        supports=fused.supports,
    ),
)
