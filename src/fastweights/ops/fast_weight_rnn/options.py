"""What every backend of the fast-weights RNN takes, each thing named once; `fast_weight_rnn` documents them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fastweights.ops.padding import Padding


class Inputs(NamedTuple):
    """The tensors and the numbers that may be one; at a backend, real steps come first and padded ones are harmless."""

    drive: Float[Tensor, "batch time hidden"]
    recurrent_weight: Float[Tensor, "hidden hidden"]
    decay: float | Float[Tensor, ""]
    rate: float | Float[Tensor, ""]
    norm_weight: Float[Tensor, " hidden"] | None = None
    norm_bias: Float[Tensor, " hidden"] | None = None
    preliminary_norm_weight: Float[Tensor, " hidden"] | None = None
    preliminary_norm_bias: Float[Tensor, " hidden"] | None = None
    hidden: Float[Tensor, "batch hidden"] | None = None
    memory: Float[Tensor, "batch hidden hidden"] | None = None
    padding: Padding | None = None


class Options(NamedTuple):
    """What is not a tensor."""

    inner_steps: int = 1
    nonlinearity: str = "relu"
    form: str = "inner"
    norm_eps: float = 1e-5
    chunk: int | None = None
    need_state: bool = True
