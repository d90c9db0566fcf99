"""The recurrence of the long short-term memory: one public function over all its backends."""

from __future__ import annotations

from jaxtyping import Bool, Float, Integer
from torch import Tensor

from fastweights.kernels import ready
from fastweights.ops import padding
from fastweights.ops.dispatch import Backend, Op
from fastweights.ops.lstm import arguments, cpu, reference
from fastweights.ops.lstm.arguments import CLASS_TYPES
from fastweights.ops.lstm.options import Inputs, Options

__all__ = ["CLASS_TYPES", "lstm"]

Results = tuple[Tensor, Tensor, Tensor]


class _LSTM(Op[Inputs, Options, Results, Results]):
    def prepare(self, inputs: Inputs, options: Options) -> Inputs:
        """Move the real steps of every row to the front."""
        padded, classes = inputs.padding, inputs.classes
        if padded is None:
            return inputs
        if classes is None:
            return inputs._replace(gates=padding.to_front(inputs.gates, padded.shift))
        real = padding.zeroed(classes, padded.mask)
        return inputs._replace(classes=padding.to_front(real, padded.shift))

    def finish(self, raw: Results, inputs: Inputs, options: Options) -> Results:
        """Return the outputs in their places."""
        if inputs.padding is None:
            return raw
        return padding.to_back(raw[0], inputs.padding.shift), *raw[1:]

    def empty(self, inputs: Inputs) -> bool:
        return not (inputs.gates if inputs.classes is None else inputs.classes).numel()


OP = _LSTM(
    "lstm",
    {
        "cpu": Backend(
            "fused kernels, hand-written backward, Numba",
            cpu.run,
            device="cpu",
            available=ready.available,
            supports=ready.supports,
        ),
        "reference": Backend("step by step, plain PyTorch", reference.run),
    },
)


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
        backend: "auto", "cpu" or "reference". Speed alone.

    Returns:
        outputs [batch, time, hidden], exactly 0 at padded steps; h and c [batch, hidden] after each row's last real
        step (rows without one keep their state).
        The computation runs in float32 or wider, and the state comes in that type. Under autocast the outputs have the
        autocast type.

    Raises:
        UserError: for arguments that do not fit each other, a class without a row, padding between real steps, or a
            backend that cannot run.

    Source: Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000 (the forget gate).

    Example:
        >>> import torch
        >>> outputs, h, c = lstm(torch.ones(2, 5, 12), torch.ones(12, 3))
        >>> outputs.shape, h.shape, c.shape
        (torch.Size([2, 5, 3]), torch.Size([2, 3]), torch.Size([2, 3]))
        >>> looked_up, _, _ = lstm(torch.ones(7, 12), torch.ones(12, 3), classes=torch.zeros(2, 5, dtype=torch.long))
        >>> torch.equal(looked_up, outputs)
        True
    """
    inputs = Inputs(gates, recurrent_weight, classes, hidden, cell)
    arguments.check(inputs, mask)
    if mask is not None:
        inputs = inputs._replace(padding=padding.measure(mask))
    return OP(inputs, Options(), backend=backend, facts={})
