"""Metalearned Neural Memory as one node of autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fastweights.ops.neural_memory import backward, reference
from fastweights.ops.neural_memory.options import Inputs, Learned, Options, Outputs, State
from fastweights.ops.neural_memory.reference import Saved
from fastweights.ops.types import without_autocast


def run(inputs: Inputs, options: Options) -> Outputs:
    """Return what `neural_memory` does, with gradients where they are asked for."""
    drive, learned, start, state, mask = inputs
    leaves, steps = (*state, *learned), options.memory_steps
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in (drive, *leaves))
    if wanted and not torch.compiler.is_exporting():  # a program holds the steps themselves
        found = Recurrence.apply(drive, start, mask, steps, *leaves)
    else:
        found = reference.run(drive, learned, start, state, mask, steps)
    hidden, read, error, memory, *end = found
    return Outputs(hidden, read, error, memory, State(*end))


class Recurrence(torch.autograd.Function):
    """`reference.run`, with `backward.run` as its derivative; the memory at chosen steps has none."""

    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        start: Tensor,
        mask: Tensor | None,
        steps: tuple[int, ...],
        *given: Tensor,
    ) -> tuple[Tensor, ...]:
        state, learned = State(*given[:4]), Learned(*given[4:])
        record: list[Saved] = []
        outcome = reference.run(drive, learned, start, state, mask, steps, record)
        hidden, read, _, at_steps, *_, end = outcome
        saved = (torch.stack(each) for each in zip(*record, strict=True))
        ctx.mark_non_differentiable(at_steps)
        ctx.save_for_backward(start, mask, *given, hidden, read, end, *saved)
        return outcome

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("neural_memory has no second derivative")
        start, mask, *rest = ctx.saved_tensors
        state, learned = State(*rest[:4]), Learned(*rest[4:11])
        hidden, read, end, *saved = rest[11:]
        dhidden, dread, derror, _, *dend = gradients
        with without_autocast(start.device):
            drive, before, slow = backward.run(
                learned,
                state,
                mask,
                hidden,
                read,
                reference.full_memory(start, end),
                Saved(*saved),
                (dhidden, dread, derror, State(*dend)),
            )
        return drive, None, None, None, *before, *slow
