"""What the backends of Metalearned Neural Memory take and return; `neural_memory` documents them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class Learned(NamedTuple):
    """The slow weights: W_r, W_i and b_i, w_s and b_s, W_t and b_t.

    recurrent [4 hidden, hidden + size], over h and r; interface [(1 + 3 heads) size, hidden]: s, then all k, all v,
    all q; strength [1, size]; targets [layers · size, size].
    """

    recurrent: Float[Tensor, "gates both"]
    interface: Float[Tensor, "interface hidden"]
    interface_bias: Float[Tensor, " interface"]
    strength: Float[Tensor, "1 size"]
    strength_bias: Float[Tensor, " 1"]
    targets: Float[Tensor, "targets size"]
    targets_bias: Float[Tensor, " targets"]


class State(NamedTuple):
    """hidden and cell [batch, hidden], read [batch, size], memory [batch, layers, size, size], less its start."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch hidden"]
    read: Float[Tensor, "batch size"]
    memory: Float[Tensor, "batch layers size size"]


class Inputs(NamedTuple):
    """The tensors, as given."""

    drive: Float[Tensor, "batch time gates"]
    learned: Learned
    start: Float[Tensor, "layers size size"]
    state: State
    mask: Bool[Tensor, "batch time"] | None = None


class Options(NamedTuple):
    """The steps at which to keep the memory."""

    memory_steps: tuple[int, ...] = ()


class Outputs(NamedTuple):
    """What happened over time: hidden and read at every step, error, the memory at the chosen steps, the end.

    hidden [batch, time, hidden]; read [batch, time, size]; error [batch, time], 0 at padded steps; memory
    [batch, steps, layers, size, size], without a gradient; state after each row's last real step.
    """

    hidden: Float[Tensor, "batch time hidden"]
    read: Float[Tensor, "batch time size"]
    error: Float[Tensor, "batch time"]
    memory: Float[Tensor, "batch steps layers size size"]
    state: State
