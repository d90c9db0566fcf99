"""The recurrence of Ba et al. 2016: one public function over all its backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops import dispatch as backends
from fastweights.ops import padding
from fastweights.ops.fast_weight_rnn import arguments, chunked, reference
from fastweights.ops.fast_weight_rnn.arguments import NONLINEARITIES
from fastweights.ops.fast_weight_rnn.cpu import entry as fused
from fastweights.ops.fast_weight_rnn.history import History
from fastweights.ops.fast_weight_rnn.memory import final_memory
from fastweights.ops.fast_weight_rnn.step import step
from fastweights.ops.fast_weight_rnn.trace import trace

__all__ = ["NONLINEARITIES", "History", "fast_weight_rnn", "step", "trace"]

OP = "fast_weight_rnn"


def fast_weight_rnn(
    drive: Float[Tensor, "batch time hidden"],
    recurrent_weight: Float[Tensor, "hidden hidden"],
    *,
    decay: float | Float[Tensor, ""],
    rate: float | Float[Tensor, ""],
    norm_weight: Float[Tensor, " hidden"] | None = None,
    norm_bias: Float[Tensor, " hidden"] | None = None,
    preliminary_norm_weight: Float[Tensor, " hidden"] | None = None,
    preliminary_norm_bias: Float[Tensor, " hidden"] | None = None,
    hidden: Float[Tensor, "batch hidden"] | None = None,
    memory: Float[Tensor, "batch hidden hidden"] | None = None,
    inner_steps: int = 1,
    nonlinearity: str = "relu",
    form: str = "inner",
    norm_eps: float = 1e-5,
    mask: Bool[Tensor, "batch time"] | None = None,
    need_state: bool = True,
    chunk: int | None = None,
    backend: str = "auto",
) -> tuple[
    Float[Tensor, "batch time hidden"],
    Float[Tensor, "batch hidden"] | None,
    Float[Tensor, "batch hidden hidden"] | None,
]:
    """Run the fast-weights recurrent network over a sequence.

        h_0(t)   = f(W h(t-1) + drive(t))                               drive(t) = C x(t) + bias
        h_s+1(t) = f(LN[W h(t-1) + drive(t) + A(t-1) h_s(t)])           s = 0 … S-1,   h(t) = h_S(t)
        A(t)     = λ A(t-1) + η h(t) h(t)ᵀ

    A step reads the memory as it stands and then writes, so A(t) includes h(t). With form "flat" there is one
    nonlinearity a step: h(t) = f(LN[W h(t-1) + drive(t) + A(t-1) h(t-1)]).

    Args:
        drive: [batch, time, hidden], the input's share C x(t) + bias.
        recurrent_weight: W [hidden, hidden].
        decay: λ, a number or a 0-d tensor, which then has a gradient.
        rate: η, likewise.
        norm_weight, norm_bias: gain and bias [hidden] of LN, shared by the inner steps; both None: no LN.
        preliminary_norm_weight, preliminary_norm_bias: gain and bias of an LN on h_0's argument; both None: none, as in
            the paper.
        hidden: h(0) [batch, hidden]; None means zeros.
        memory: A(0) [batch, hidden, hidden]; None means zeros. It need not be symmetric.
        inner_steps: S ≥ 1.
        nonlinearity: f, "relu" or "tanh".
        form: "inner" or "flat".
        norm_eps: ε of both LNs.
        mask: [batch, time] bool, True = real. Padding comes before or after all real steps of a row.
        need_state: False skips making the final state.
        chunk: steps between the makings of A for backends that work in chunks; None picks well. Speed alone.
        backend: "auto", "reference", "chunked", "cpu" or "cuda". Speed alone.

    Returns:
        outputs [batch, time, hidden], exactly 0 at padded steps; h [batch, hidden] and A [batch, hidden, hidden]
        after each row's last real step (rows without one keep their state), both None without `need_state`.
        The computation runs in float32 or wider. Under autocast the outputs have the autocast type; the state has the
        type of `recurrent_weight`.

    Raises:
        UserError: for arguments that do not fit each other, unknown names, padding between real steps, or a backend
            that cannot run.

    Source: Ba, Hinton, Mnih, Leibo & Ionescu, "Using Fast Weights to Attend to the Recent Past", NIPS 2016, eq. 1–4
        (eq. 4 is the attention form).

    Example:
        >>> outputs, h, A = fast_weight_rnn(torch.ones(2, 5, 3), torch.eye(3), decay=0.95, rate=0.5)
        >>> outputs.shape, h.shape, A.shape
        (torch.Size([2, 5, 3]), torch.Size([2, 3]), torch.Size([2, 3, 3]))
    """
    options: dict[str, Any] = {
        "decay": decay,
        "rate": rate,
        "norm_weight": norm_weight,
        "norm_bias": norm_bias,
        "preliminary_norm_weight": preliminary_norm_weight,
        "preliminary_norm_bias": preliminary_norm_bias,
        "hidden": hidden,
        "memory": memory,
        "inner_steps": inner_steps,
        "nonlinearity": nonlinearity,
        "form": form,
        "norm_eps": norm_eps,
        "chunk": chunk,
    }
    arguments.check(drive, recurrent_weight, mask=mask, **options)
    facts = {"inner_steps": inner_steps, "nonlinearity": nonlinearity, "form": form}
    name = backends.resolve(OP, backend, drive, **facts)
    try:
        return _run(name, drive, recurrent_weight, options, mask, need_state)
    except backends.Unavailable as error:
        backends.withdraw(OP, name, str(error))
        name = backends.resolve(OP, backend, drive, **facts)
    return _run(name, drive, recurrent_weight, options, mask, need_state)


RUNNERS: dict[str, Callable[..., Tensor]] = {
    "reference": reference.run,
    "chunked": chunked.run,
    "cpu": fused.run,
}


def _run(
    name: str,
    drive: Tensor,
    recurrent_weight: Tensor,
    options: dict[str, Any],
    mask: Tensor | None,
    need_state: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Run a backend in a wide enough type, outside autocast, and bring outputs and state into theirs."""
    device, output_type, state_type = drive.device.type, drive.dtype, recurrent_weight.dtype
    compute = torch.promote_types(torch.promote_types(drive.dtype, state_type), torch.float32)
    if drive.dtype != compute or state_type != compute:
        drive, recurrent_weight = drive.to(compute), recurrent_weight.to(compute)
    options = {k: v.to(compute) if isinstance(v, Tensor) else v for k, v in options.items()}
    if torch.is_autocast_enabled(device):
        if compute == torch.float32:
            output_type = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            outputs, state = _run_padded(name, drive, recurrent_weight, options, mask, need_state)
    else:
        outputs, state = _run_padded(name, drive, recurrent_weight, options, mask, need_state)
    if state is None:
        return outputs.to(output_type), None, None
    hidden, memory = state
    return outputs.to(output_type), hidden.to(state_type), memory.to(state_type)


def _run_padded(
    name: str,
    drive: Tensor,
    recurrent_weight: Tensor,
    options: dict[str, Any],
    mask: Tensor | None,
    need_state: bool,
) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
    """Bring the real steps of every row to the front, where what follows them changes nothing, and back."""
    if mask is None:
        outputs = _run_backend(name, drive, recurrent_weight, options)
        return outputs, _final_state(outputs, options, None) if need_state else None
    lengths, shift = padding.lengths_and_shift(mask)
    steps = torch.arange(mask.shape[1], device=mask.device)
    padded = (steps >= lengths[:, None]).unsqueeze(2)
    drive = padding.to_front(drive, shift).masked_fill(padded, _quiet(options))
    outputs = _run_backend(name, drive, recurrent_weight, options).masked_fill(padded, 0)
    state = _final_state(outputs, options, lengths) if need_state else None
    return padding.to_back(outputs, shift), state


def _run_backend(
    name: str, drive: Tensor, recurrent_weight: Tensor, options: dict[str, Any]
) -> Tensor:
    batch, time, _ = drive.shape
    if time == 0:
        return drive
    return RUNNERS[name if batch else "reference"](drive, recurrent_weight, **options)


def _final_state(
    outputs: Tensor, options: dict[str, Any], lengths: Tensor | None
) -> tuple[Tensor, Tensor]:
    """h and A after the last step, or after each row's last real one."""
    if lengths is None and outputs.shape[1]:
        hidden = outputs[:, -1]
    else:
        ends = outputs.new_zeros(len(outputs), dtype=torch.long) if lengths is None else lengths
        hidden = padding.last_real(outputs, ends, options["hidden"])
    return hidden, final_memory(
        outputs, options["memory"], options["decay"], options["rate"], lengths
    )


def _quiet(options: dict[str, Any]) -> float:
    """The drive of a padded step: one that keeps it finite, for 0 times infinity is NaN in the gradient.

    LN and tanh bound h whatever the drive is; plain ReLU could grow without end, and is silenced instead.
    """
    return -1e9 if options["nonlinearity"] == "relu" and options["norm_weight"] is None else 0.0


backends.register(OP, "reference", backends.Backend("step by step, A written out, plain PyTorch"))
backends.register(
    OP, "chunked", backends.Backend("attention form in chunks of time, plain PyTorch")
)
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
