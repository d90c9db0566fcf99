"""What every backend of the LSTM takes, each thing named once; `lstm` documents them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Integer
from torch import Tensor

from fastweights.ops.padding import Padding


class Inputs(NamedTuple):
    """The tensors; at a backend, the real steps of each row come first."""

    gates: Float[Tensor, "batch time gates"] | Float[Tensor, "classes gates"]
    recurrent_weight: Float[Tensor, "gates hidden"]
    classes: Integer[Tensor, "batch time"] | None = None
    hidden: Float[Tensor, "batch hidden"] | None = None
    cell: Float[Tensor, "batch hidden"] | None = None
    padding: Padding | None = None


class Options(NamedTuple):
    """There are none: the LSTM has one form."""
