"""The recurrence of Metalearned Neural Memory: an LSTM with a network of fast weights, one public function."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.ops import padding
from fastweights.ops.dispatch import Backend, Op
from fastweights.ops.neural_memory import arguments, autograd
from fastweights.ops.neural_memory.options import Inputs, Learned, Options, Outputs, State


class _NeuralMemory(Op[Inputs, Options, Outputs, Outputs]):
    outputs = 2

    def prepare(self, inputs: Inputs, options: Options) -> Inputs:
        """Make what stands at padded steps harmless; the loop leaves the state alone there."""
        return inputs._replace(drive=padding.zeroed(inputs.drive, inputs.mask))


OP = _NeuralMemory(
    "neural_memory",
    {"reference": Backend("step by step, hand-written backward, plain PyTorch", autograd.run)},
)


def neural_memory(
    drive: Float[Tensor, "batch time gates"],
    learned: Learned,
    start: Float[Tensor, "layers size size"],
    state: State,
    *,
    mask: Bool[Tensor, "batch time"] | None = None,
    memory_steps: Sequence[int] = (),
    backend: str = "auto",
) -> Outputs:
    """Run an LSTM that writes to and reads from a network of fast weights M_1 … M_L.

        h(t), c(t)    = LSTM(drive(t) + W_r [h(t-1), r(t-1)], c(t-1))
        [s, k, v, q]  = tanh(W_i h(t) + b_i)                        k, v, q of each of n heads
        β             = σ(w_s s + b_s)
        M(t)          = M(t-1) written with k, v, β
        r(t)          = 1/n Σ_heads of what M(t) gives for q
        error(t)      = mean over heads and features of (what M(t) gives for k − v)²

    What M gives for a key k is the value z_L of a feed-forward network:

        z_0 = k        z_l = tanh(z_l-1 M_l),  l < L        z_L = z_L-1 M_L

    To write k and v, with the z of each k before the write:

        [t_1 … t_L] = W_t v + b_t
        M_l ← M_l + 2β / (n d) Σ_heads z_l-1ᵀ (t_l − z_l)

    What each layer should have put out is not back-propagated through the memory but foretold from the value, by one
    learned linear map. So all layers are written at once, each by the perceptron's rule from what stands at its two
    ends, and no gradient is taken.

    The loop runs forward and backward with the memory in one place: the backward, by hand, takes each write back to
    see the memory as it was, so that a sequence keeps vectors only, and not the memory of every step.

    Args:
        drive: [batch, time, 4 hidden], what the input adds to the gates, with their bias, in the order i, f, g, o.
        learned: the slow weights, a `Learned`.
        start: M at the beginning, the same for all rows; it gets no gradient.
        state: a `State`, whose memory is M less `start`: a fresh row is all zeros.
        mask: [batch, time], True = real. A step that is not real leaves the row's state as it is.
        memory_steps: the steps, 0-based, at which to keep the memory.
        backend: "auto" or "reference".

    Returns:
        An `Outputs`. There is no second derivative. The computation runs in float32 or wider, and the state, error and
        memory come in that type, hidden and read in that of `drive`, under autocast in the autocast type.

    Raises:
        UserError: for arguments that do not fit each other, a step outside the sequence, or an unknown backend.

    Source: Munkhdalai, Sordoni, Wang & Trischler, "Metalearned Neural Memory", NeurIPS 2019, the plastic variant.

    Example:
        >>> import torch
        >>> weights = [(12, 5), (14, 3), (14,), (1, 2), (1,), (6, 2), (6,)]
        >>> learned = Learned(*(torch.ones(shape) for shape in weights))
        >>> state = State(torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(4, 2), torch.zeros(4, 3, 2, 2))
        >>> found = neural_memory(torch.ones(4, 7, 12), learned, torch.ones(3, 2, 2), state)
        >>> found.hidden.shape, found.read.shape, found.state.memory.shape
        (torch.Size([4, 7, 3]), torch.Size([4, 7, 2]), torch.Size([4, 3, 2, 2]))
    """
    inputs, options = Inputs(drive, learned, start, state, mask), Options(tuple(memory_steps))
    arguments.check(inputs, options)
    return OP(inputs, options, backend=backend, facts={})
