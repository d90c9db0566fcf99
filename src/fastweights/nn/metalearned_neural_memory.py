"""Metalearned Neural Memory: an LSTM that writes to and reads from a network of fast weights."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fastweights.nn.base import Backbone, Input, Trace, project
from fastweights.nn.checks import check_sizes
from fastweights.nn.neural_memory import NeuralMemory, Weights
from fastweights.ops import padding


class MetalearnedNeuralMemoryState(NamedTuple):
    """The controller's hidden and cell, the value last read, and what was written to the memory.

    hidden and cell [batch, hidden], read [batch, size], memory [batch, layers, size, size]: the fast
    weights less their start.
    """

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]
    read: Float[Tensor, "batch size"]
    memory: Float[Tensor, "batch layers size size"]


class Moment(NamedTuple):
    """The recurrence after a step: a state with the fast weights themselves, and how well it wrote.

    error [batch] is the mean square by which the memory misses the values just written.
    """

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]
    read: Float[Tensor, "batch size"]
    weights: Weights
    error: Float[Tensor, " batch"]


class Course(NamedTuple):
    """The recurrence over time: at every step, the memory at the chosen ones, and the end."""

    hidden: Float[Tensor, "batch time hidden"]
    read: Float[Tensor, "batch time size"]
    error: Float[Tensor, "batch time"]
    memory: Float[Tensor, "batch steps layers size size"] | None
    state: MetalearnedNeuralMemoryState


class MetalearnedNeuralMemory(Backbone):
    """An LSTM controller with a `NeuralMemory`, the plastic variant (MNM-p).

        h(t), c(t)    = LSTM([x(t), r(t-1)], h(t-1), c(t-1))
        [s, k, v, q]  = tanh(W_i h(t) + b_i)            k, v, q of each of H heads
        β             = σ(w_s s + b_s)
        M(t)          = M(t-1) after the write of k, v with strength β
        r(t)          = 1/H Σ_heads M(t)(q)
        y(t)          = W_o [h(t), r(t)] + b_o

    The memory is written before it is read, and the controller sees what was read one step later.

    In training `auxiliary_loss` is the meta-objective, the mean of (M(t)(k) − v)² over real steps,
    heads and features: how well the memory gives back what it was just told. A trainer adds it to
    its loss; it has its own weight (1 to 2 in Schlag et al. 2021).

    Args:
        input_size: features of x.
        hidden_size: features of h and of y.
        memory_size: d, the features of keys and values and of the memory's layers.
        heads: H, writes and reads in a step.
        memory_layers: layers of the memory.

    Parameters: `input` and `recurrent` (the LSTM's, in the order i, f, g, o, with one bias),
    `interface` [s, then all k, all v, all q], `strength`, `memory`, `output`. Weights start from
    U(±1/√features), as in `torch.nn`. With embedding and hidden size 256, d = 100 and 3 heads they
    are 1.0M, with catbAbI's embedding and head the 1.1M of the paper's table 1.

    Raises:
        UserError: for a size that is not positive.

    Source: Munkhdalai, Sordoni, Wang & Trischler, "Metalearned Neural Memory", NeurIPS 2019; sizes
    from Schlag et al. 2021, appendix F.2. What the papers leave open is as in the implementation
    that Webb, Sinha & Cohen ran as a baseline ("Emergent Symbols through Binding in External
    Memory", ICLR 2021): tanh in the memory and on the interface, one strength for all heads, the
    mean over heads, the factor 2 / (H d) of the write (that of a mean square's gradient), the linear
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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory_size: int = 100,
        heads: int = 3,
        *,
        memory_layers: int = 3,
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        self.memory = NeuralMemory(memory_size, memory_layers)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.memory_size, self.heads = memory_size, heads
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = nn.Linear(hidden_size + memory_size, 4 * hidden_size, bias=False)
        self.interface = nn.Linear(hidden_size, (1 + 3 * heads) * memory_size)
        self.strength = nn.Linear(memory_size, 1)
        self.output = nn.Linear(hidden_size + memory_size, hidden_size)
        bound = 1 / math.sqrt(hidden_size)
        for parameter in (*self.input.parameters(), self.recurrent.weight):
            nn.init.uniform_(parameter, -bound, bound)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        d = self.memory_size
        return (self.hidden_size,), (self.hidden_size,), (d,), (self.memory.layers, d, d)

    def run(
        self,
        x: Input,
        state: MetalearnedNeuralMemoryState | None,
        mask: Bool[Tensor, "batch time"] | None,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time hidden"], MetalearnedNeuralMemoryState]:
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        course = self._recur(x, state, mask, ())
        real = torch.ones_like(course.error) if mask is None else mask.to(course.error)
        missed = (course.error * real).sum() / real.sum().clamp(min=1)
        self.auxiliary_loss = missed if self.training else None
        return self._output(course) * real[:, :, None], course.state

    def run_trace(
        self, x: Input, state: MetalearnedNeuralMemoryState | None, steps: tuple[int, ...]
    ) -> Trace:
        course = self._recur(x, state, None, steps)
        return Trace(self._output(course), course.hidden, None, course.memory, steps, course.state)

    def _recur(
        self,
        x: Input,
        state: MetalearnedNeuralMemoryState | None,
        mask: Bool[Tensor, "batch time"] | None,
        steps: tuple[int, ...],
    ) -> Course:
        """Run the cell over time, in the parameters' type under autocast too: what is written adds up."""
        start = self.initial_state(x.shape[0]) if state is None else state
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.anchor.dtype) if x.is_floating_point() else x
            weights = self.memory.opened(start.memory)
            begun = Moment(
                start.hidden, start.cell, start.read, weights, start.cell.new_zeros(len(x))
            )
            now, moments, memory = begun, [], {}
            for t, drive in enumerate(project(self.input, x).unbind(1)):
                now = self._cell(drive, now, None if mask is None else mask[:, t, None])
                moments.append((now.hidden, now.read, now.error))
                if t in steps:
                    memory[t] = _written(start, begun, now)
        hidden, read, error = (torch.stack(each, 1) for each in zip(*moments, strict=True))
        kept = torch.stack([memory[t] for t in steps], 1) if steps else None
        written = _written(start, begun, now)
        end = MetalearnedNeuralMemoryState(now.hidden, now.cell, now.read, written)
        return Course(hidden, read, error, kept, end)

    def _cell(
        self,
        drive: Float[Tensor, "batch gates"],
        before: Moment,
        real: Bool[Tensor, "batch 1"] | None,
    ) -> Moment:
        """Take one step: the controller, a write of all heads, and their reads; rows not real keep their state."""
        sums = torch.cat([before.hidden, before.read], 1) @ self.recurrent.weight.t() + drive
        i, f, g, o = sums.chunk(4, 1)
        c = torch.sigmoid(f) * before.cell + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        interface = torch.tanh(self.interface(h)).unflatten(1, (-1, self.memory_size))
        strength = torch.sigmoid(self.strength(interface[:, 0]))
        keys, values, queries = interface[:, 1:].chunk(3, 1)
        if real is not None:
            strength = strength * real
        weights = self.memory.write(before.weights, keys, values, strength)
        again, found = self.memory.read(weights, torch.cat([keys, queries], 1)).chunk(2, 1)
        error = (again - values).square().mean((1, 2))
        r = found.mean(1)
        if real is not None:
            after = zip((h, c, r), before[:3], strict=True)
            h, c, r = (torch.where(real, new, old) for new, old in after)
        return Moment(h, c, r, weights, error)

    def _output(self, course: Course) -> Float[Tensor, "batch time hidden"]:
        return self.output(torch.cat([course.hidden, course.read], -1))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, heads={self.heads}"


def _written(
    start: MetalearnedNeuralMemoryState, begun: Moment, now: Moment
) -> Float[Tensor, "batch layers size size"]:
    """Return a state's memory: rows that nothing was written to keep theirs to the bit."""
    pairs = zip(now.weights, begun.weights, strict=True)
    return start.memory + torch.stack([new - old for new, old in pairs], 1)
