"""The recurrence of Ba et al. 2016: one public function over all its backends."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fastweights.kernels import ready
from fastweights.kernels.triton import ready as triton_ready
from fastweights.ops import padding
from fastweights.ops.dispatch import Backend, Op
from fastweights.ops.fast_weight_rnn import arguments, chunked, cpu, cuda, reference
from fastweights.ops.fast_weight_rnn.arguments import NONLINEARITIES
from fastweights.ops.fast_weight_rnn.history import History
from fastweights.ops.fast_weight_rnn.memory import final_memory
from fastweights.ops.fast_weight_rnn.options import Inputs, Options
from fastweights.ops.fast_weight_rnn.reference import step
from fastweights.ops.fast_weight_rnn.trace import trace

__all__ = ["NONLINEARITIES", "History", "Inputs", "Options", "fast_weight_rnn", "step", "trace"]

Results = tuple[Tensor, Tensor | None, Tensor | None]


class _FastWeightRNN(Op[Inputs, Options, Tensor, Results]):
    def prepare(self, inputs: Inputs, options: Options) -> Inputs:
        """Move the real steps of every row to the front, where what follows them changes nothing."""
        if inputs.padding is None:
            return inputs
        drive = padding.to_front(inputs.drive, inputs.padding.shift)
        padded = inputs.padding.at_end().unsqueeze(2)
        return inputs._replace(drive=drive.masked_fill(padded, _quiet(inputs, options)))

    def finish(self, raw: Tensor, inputs: Inputs, options: Options) -> Results:
        """Return the outputs in their places, and h and A after each row's last real step."""
        outputs, padded = raw, inputs.padding
        if padded is not None:
            outputs = outputs.masked_fill(padded.at_end().unsqueeze(2), 0)
        h = A = None
        if options.need_state:
            lengths = None if padded is None else padded.lengths
            h = _last(outputs, inputs.hidden, lengths)
            A = final_memory(outputs, inputs.memory, inputs.decay, inputs.rate, lengths)
        return outputs if padded is None else padding.to_back(outputs, padded.shift), h, A


def _last(outputs: Tensor, hidden: Tensor | None, lengths: Int[Tensor, " batch"] | None) -> Tensor:
    """h after the last step, or after each row's last real one."""
    if lengths is None and outputs.shape[1]:
        return outputs[:, -1]
    if lengths is None:
        lengths = outputs.new_zeros(outputs.shape[0], dtype=torch.long)
    return padding.last_real(outputs, lengths, hidden)


def _quiet(inputs: Inputs, options: Options) -> float:
    """The drive of a padded step: one that keeps it finite, for 0 times infinity is NaN in the gradient.

    LN and tanh bound h whatever the drive is. Plain ReLU could grow without end, and is silenced by a number below any
    W h + A h, whose square, which a preliminary LN takes, is finite.
    """
    if options.nonlinearity != "relu" or inputs.norm_weight is not None:
        return 0.0
    return -(torch.finfo(inputs.drive.dtype).max ** 0.25)


OP = _FastWeightRNN(
    "fast_weight_rnn",
    {
        "cpu": Backend(
            "fused kernels, hand-written backward, Numba",
            cpu.run,
            device="cpu",
            available=ready.available,
            supports=ready.supports,
        ),
        "cuda": Backend(
            "fused kernels, hand-written backward, Triton",
            cuda.run,
            device=triton_ready.DEVICE,
            available=triton_ready.available,
            supports=cuda.supports,
            unchecked=triton_ready.unchecked,
        ),
        "chunked": Backend("attention form in chunks of time, plain PyTorch", chunked.run),
        "reference": Backend("step by step, A written out, plain PyTorch", reference.run),
    },
)


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
        backend: "auto", "cpu", "cuda", "chunked" or "reference". Speed alone.

    Returns:
        outputs [batch, time, hidden], exactly 0 at padded steps; h [batch, hidden] and A [batch, hidden, hidden]
        after each row's last real step (rows without one keep their state), both None without `need_state`.
        The computation runs in float32 or wider, and the state comes in that type. Under autocast the outputs have the
        autocast type.
        Products of h with A, of h with h and of their gradients with h must be in its range: in float32 numbers up to
        4e11. Beyond it a backend may find infinities, or NaN, that another does not.

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
    inputs = Inputs(
        drive,
        recurrent_weight,
        decay,
        rate,
        norm_weight,
        norm_bias,
        preliminary_norm_weight,
        preliminary_norm_bias,
        hidden,
        memory,
    )
    options = Options(inner_steps, nonlinearity, form, norm_eps, chunk, need_state)
    arguments.check(inputs, options, mask)
    if mask is not None:
        inputs = inputs._replace(padding=padding.measure(mask))
    facts = {
        "hidden": drive.shape[2],
        "inner_steps": inner_steps,
        "nonlinearity": nonlinearity,
        "form": form,
    }
    return OP(inputs, options, backend=backend, facts=facts)
