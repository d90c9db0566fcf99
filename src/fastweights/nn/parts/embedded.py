"""Classes with the table of their vectors: an embedding lookup not yet done."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, Integer
from torch import Tensor


class Embedded(NamedTuple):
    """Vectors that are rows of a table, as an input of layers with `takes_embedded`.

    Where few words make up long sequences, a layer projects the table once and looks the results up, which is the same
    as looking up first and projecting every step.

    Attributes:
        classes: which row stands at each step.
        table: the vectors.

    Example:
        >>> import torch
        >>> Embedded(torch.tensor([[2, 0]]), torch.eye(3)).vectors().tolist()
        [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """

    classes: Integer[Tensor, "*steps"]
    table: Float[Tensor, "classes features"]

    def vectors(self) -> Float[Tensor, "*steps features"]:
        """Look the vectors up."""
        return F.embedding(self.classes, self.table)

    def outline(self) -> Float[Tensor, "*steps features"]:
        """Return a tensor of the vectors' shape, type and device that takes no memory."""
        shape = (*self.classes.shape, self.table.shape[1])
        return self.table.new_zeros(()).expand(shape)
