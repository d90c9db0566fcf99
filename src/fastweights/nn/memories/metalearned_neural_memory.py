"""Metalearned Neural Memory: an LSTM that writes to and reads from a network of fast weights."""

from __future__ import annotations

import math
from typing import NamedTuple, Unpack, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import ops
from fastweights.nn.backbone import Backbone, Input, Mask, Trace
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.plain import read
from fastweights.nn.parts.projection import project
from fastweights.ops import padding
from fastweights.ops.neural_memory import Learned, Outputs, State
from fastweights.ops.types import without_autocast

READ = ("recurrent", "interface", "strength", "targets")
"""The modules whose weights the recurrence reads."""


class MetalearnedNeuralMemoryState(NamedTuple):
    """The controller's hidden and cell, the value last read, and what was written to the memory.

    hidden and cell [batch, hidden], read [batch, size], memory [batch, layers, size, size]: the fast
    weights less their start.
    """

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]
    read: Float[Tensor, "batch size"]
    memory: Float[Tensor, "batch layers size size"]


class MetalearnedNeuralMemory(Backbone[MetalearnedNeuralMemoryState]):
    """An LSTM controller with a network of fast weights for a memory, the plastic variant (MNM-p).

        h(t), c(t)    = LSTM([x(t), r(t-1)], h(t-1), c(t-1))
        [s, k, v, q]  = tanh(W_i h(t) + b_i)            k, v, q of each of n heads
        β             = σ(w_s s + b_s)
        M(t)          = M(t-1) after the write of k, v with strength β
        r(t)          = 1/n Σ_heads M(t)(q)
        y(t)          = W_o [h(t), r(t)] + b_o

    The memory is written before it is read, and the controller sees what was read one step later.
    How M is read and written stands in `ops.neural_memory`.

    In training `auxiliary_loss` is the meta-objective, the mean of (M(t)(k) − v)² over real steps,
    heads and features: how well the memory returns what was just written. A trainer adds it to
    its loss; it has its own weight (1 to 2 in Schlag et al. 2021).

    Args:
        input_size: features of x.
        hidden_size: features of h and of y.
        memory_size: d, the features of keys and values and of the memory's layers.
        heads: n, writes and reads in a step.
        memory_layers: layers of the memory.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: `input` and `recurrent` (the LSTM's, in the order i, f, g, o, with one bias),
    `interface` [s, then all k, all v, all q], `strength`, `targets` and `output`; `start`, where M
    begins, is saved and not learned. All start from U(±1/√features), as in `torch.nn`. With an
    embedding and a controller of 256, d = 100 and 3 heads they are 1.0M, with catbAbI's embedding
    and head the 1.1M of the paper's table 1.

    Raises:
        UserError: for a size that is not positive.

    Source: Munkhdalai, Sordoni, Wang & Trischler, "Metalearned Neural Memory", NeurIPS 2019; sizes
    from Schlag et al. 2021, appendix F.2. What the papers leave open is as in the implementation
    that Webb, Sinha & Cohen ran as a baseline ("Emergent Symbols through Binding in External
    Memory", ICLR 2021): tanh in the memory and on the interface, one strength for all heads, the
    mean over heads, the factor 2 / (n d) of the write (that of a mean square's gradient), the linear
    map of targets for the last layer too, and a random start of M that is not learned. Our reading:
    a controller of 256 units, which both of table 1's figures for the model agree with (weights, and
    30.5k activations, which then leave r out), and a state that counts M from its start, so that it
    starts from zeros as every state does.

    Example:
        >>> layer = MetalearnedNeuralMemory(8, 16, memory_size=4)
        >>> y, state = layer(torch.randn(2, 11, 8))
        >>> y.shape, state.memory.shape, layer.auxiliary_loss.shape
        (torch.Size([2, 11, 16]), torch.Size([2, 3, 4, 4]), torch.Size([]))
    """

    state_type = MetalearnedNeuralMemoryState
    takes_classes = True
    start: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory_size: int = 100,
        heads: int = 3,
        *,
        memory_layers: int = 3,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        check_sizes(memory_size=memory_size, memory_layers=memory_layers)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.memory_size, self.heads, self.memory_layers = memory_size, heads, memory_layers
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = nn.Linear(hidden_size + memory_size, 4 * hidden_size, bias=False)
        self.interface = nn.Linear(hidden_size, (1 + 3 * heads) * memory_size)
        self.strength = nn.Linear(memory_size, 1)
        self.targets = nn.Linear(memory_size, memory_layers * memory_size)
        self.output = nn.Linear(hidden_size + memory_size, hidden_size)
        bound = 1 / math.sqrt(hidden_size)
        for parameter in (*self.input.parameters(), self.recurrent.weight):
            nn.init.uniform_(parameter, -bound, bound)
        start = torch.empty(memory_layers, memory_size, memory_size)
        self.register_buffer("start", start.uniform_(-1, 1) / math.sqrt(memory_size))

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        d = self.memory_size
        return (self.hidden_size,), (self.hidden_size,), (d,), (self.memory_layers, d, d)

    def run(
        self,
        x: Input,
        state: MetalearnedNeuralMemoryState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], MetalearnedNeuralMemoryState]:
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        outputs = self._recur(x, state, mask)
        real = outputs.error.numel() if mask is None else mask.sum().clamp(min=1)
        self.auxiliary_loss = outputs.error.sum() / real if self.computes_auxiliary_loss else None
        y = self._output(outputs)
        y = y if mask is None else y.masked_fill(~mask[:, :, None], 0)
        return y, MetalearnedNeuralMemoryState(*outputs.state)

    def run_trace(
        self, x: Input, state: MetalearnedNeuralMemoryState | None, steps: tuple[int, ...]
    ) -> Trace:
        outputs = self._recur(x, state, None, steps)
        end = MetalearnedNeuralMemoryState(*outputs.state)
        return Trace(self._output(outputs), outputs.hidden, None, outputs.memory, steps, end)

    def _recur(
        self,
        x: Input,
        state: MetalearnedNeuralMemoryState | None,
        mask: Mask,
        steps: tuple[int, ...] = (),
    ) -> Outputs:
        """Run the recurrence, in the parameters' type under autocast too: what is written adds up."""
        start = self.initial_state(x.shape[0]) if state is None else state
        recurrent, *modules = (cast("nn.Linear", read(self, name)) for name in READ)
        learned = Learned(
            recurrent.weight, *(part for each in modules for part in (each.weight, each.bias))
        )
        with without_autocast(x.device):
            x = x.to(self.reference_parameter.dtype) if x.is_floating_point() else x
            drive = project(self.input, x)
        return ops.neural_memory(
            drive, learned, self.start, State(*start), mask=mask, memory_steps=steps
        )

    def _output(self, outputs: Outputs) -> Float[Tensor, "batch time hidden"]:
        return self.output(torch.cat([outputs.hidden, outputs.read], -1))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, heads={self.heads}"
