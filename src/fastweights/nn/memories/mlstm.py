"""mLSTM, the matrix memory of xLSTM: linear attention with exponential input gates, forget gates and a normaliser."""

from __future__ import annotations

from typing import NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, pad

from fastweights.nn.backbone import Input, Mask
from fastweights.nn.memories.hebbian_layer import HebbianLayer
from fastweights.nn.memories.memory_layer import Access
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.head_norm import HeadNorm
from fastweights.nn.parts.heads import by_heads
from fastweights.ops import padding

NORM_EPS = 1e-5
FORGET_BIASES = (3.0, 6.0)
"""The forget gates' biases start evenly between these, over the heads."""


class MLSTMState(NamedTuple):
    """memory [batch, heads, key, value + 1], e⁻ᵐ times C with n as its last column, and stabiliser m [batch, heads]."""

    memory: Float[Tensor, "batch heads key value"]
    stabiliser: Float[Tensor, "batch heads"]


class MLSTM(HebbianLayer[MLSTMState]):
    """Linear attention with an exponential gate on what is written, a sigmoid on what is kept, and a normaliser.

        q, k, v = W_q x + b_q, (W_k x + b_k) / √key, W_v x + b_v
        i, f, o = exp(w_i·x + b_i), σ(w_f·x + b_f), σ(W_o x + b_o)        i and f one number a head
        C(t)    = f C(t-1) + i v kᵀ                                n(t) = f n(t-1) + i k
        y(t)    = W_y (o ⊙ LN(C(t) q / max(|n(t)·q|, 1))) + b_y

    exp leaves every range, so what is kept is e⁻ᵐ C and e⁻ᵐ n: m(t) = max(m(t-1) + log f, log i, 0), which
    follows from the gates alone, and 1 in the divisor becomes e⁻ᵐ. The result is the same to the last
    rounding; the paper's m is without the 0, which changes no result either and lets e⁻ᵐ overflow.

    Each head has its own C and n; LN is over a head, with a gain for each feature. The published block
    of xLSTM[1:0] widens x before it and has a short convolution, a skip and a SiLU gate around it; the
    7B model has the layer as here, with RMSNorm and its gates' logits held in ±15.

    Args:
        input_size: features of x.
        hidden_size: features of y, and of all heads' values together.
        heads: memories side by side, each with its share of the features.
        key_size: features of a head's keys; None means hidden_size / heads.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: qkv.weight [rows of q, k, v, each by heads; input] and qkv.bias, out.weight [hidden, hidden]
    (W_y) and out.bias, gates.weight [rows of i, f; input], which start at 0, and gates.bias, of f from 3 to
    6, output_gate.weight [hidden, input] (W_o) and output_gate.bias, norm.weight [hidden].

    Raises:
        UserError: for an option outside its range, or heads that do not divide the hidden size.

    Source: Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter & Hochreiter, "xLSTM:
    Extended Long Short-Term Memory", NeurIPS 2024, eq. 19 to 27 and 15 to 17.

    Example:
        >>> y, state = MLSTM(8, 16, heads=2)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape, state.stabiliser.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 2, 8, 9]), torch.Size([4, 2]))
    """

    state_type = MLSTMState
    gating = "step"
    biases = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, heads=heads, key_size=key_size, backend=backend)
        self.gates = nn.Linear(input_size, 2 * heads)
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias[:heads].normal_(std=0.1)
            self.gates.bias[heads:] = torch.linspace(*FORGET_BIASES, heads)
        self.output_gate = nn.Linear(input_size, hidden_size)
        self.norm = HeadNorm(hidden_size, NORM_EPS)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.heads, *self.key_sizes, self.value_size + 1), (self.heads,)

    def access(
        self, x: Input, state: MLSTMState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        q, k, v = self.split(x)
        before = (self.initial_state(x.shape[0]) if state is None else state).stabiliser
        before = before.to(self.state_dtype)[:, :, None]
        log_i, log_f = (
            by_heads(padding.zeroed(self.gates(x), mask)).to(self.state_dtype).chunk(2, 1)
        )
        log_f = logsigmoid(log_f)
        if mask is not None:  # a padded step leaves m as it is
            log_f = log_f.masked_fill(~mask[:, None], 0)
        since = log_f.cumsum(2)
        m = since + torch.maximum(before, (log_i.clamp(min=0) - since).cummax(2).values)
        last = torch.cat([before, m], 2)[:, :, :-1]
        return Access(
            keys=(k / k.shape[-1] ** 0.5,),
            values=pad(v, (0, 1), value=1.0),
            strength=torch.exp(log_i - m),
            queries=(q,),
            gate=torch.exp(log_f + last - m),
            for_output=(m,),
        ), (m[:, :, -1],)

    def output(
        self, retrieved: Float[Tensor, "batch heads time value"], x: Input, access: Access
    ) -> Float[Tensor, "batch time hidden"]:
        normed = self.norm(retrieved[..., :-1] / _divisor(retrieved, access))
        return self.out(torch.sigmoid(self.output_gate(x)) * normed)

    def read_weights(
        self,
        weights: Float[Tensor, "batch heads time reads past"],
        retrieved: Float[Tensor, "batch heads time value"],
        access: Access,
    ) -> Float[Tensor, "batch heads time reads past"]:
        return weights / _divisor(retrieved, access)[..., None]


def _divisor(retrieved: Tensor, access: Access) -> Float[Tensor, "batch heads time 1"]:
    (m,) = access.for_output
    return torch.maximum(retrieved[..., -1:].abs(), torch.exp(-m)[..., None])
