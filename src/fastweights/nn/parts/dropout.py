"""Dropout for recurrent networks: masks that hold for a whole sequence."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.parts.checks import check_range


class VariationalDropout(nn.Module):
    """Dropout of features with one mask for all steps of a row.

    In training a feature of a row is either 0 at every step or scaled by 1 / (1 − rate) at every
    step. Otherwise the input is returned as it is.

    Args:
        rate: the probability that a feature is dropped, 0 to 1.

    Raises:
        UserError: for a rate outside its range.

    Source: Gal & Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
    Networks", NIPS 2016; as Merity, Keskar & Socher use it in AWD-LSTM, ICLR 2018.

    Example:
        >>> import torch
        >>> y = VariationalDropout(0.5)(torch.ones(2, 7, 3))
        >>> torch.equal(y, y[:, :1].expand(2, 7, 3)), sorted({*y.flatten().tolist()}) <= [0.0, 2.0]
        (True, True)
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        check_range("rate", rate, 0, 1)
        self.rate = rate

    def forward(
        self, x: Float[Tensor, "*batch time features"]
    ) -> Float[Tensor, "*batch time features"]:
        if not (self.training and self.rate):
            return x
        return x * F.dropout(x.new_ones(*x.shape[:-2], 1, x.shape[-1]), self.rate)

    def extra_repr(self) -> str:
        return str(self.rate)


def drop_rows(
    table: Float[Tensor, "rows features"], rate: float, training: bool
) -> Float[Tensor, "rows features"]:
    """Drop whole rows of a table in training and scale the others by 1 / (1 − rate).

    Of an embedding's weight: whole words, each wherever it occurs (the embedding dropout of
    AWD-LSTM). Otherwise the table is returned as it is.

    Example:
        >>> import torch
        >>> drop_rows(torch.ones(2, 3), 1.0, training=True).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if not (training and rate):
        return table
    return table * F.dropout(table.new_ones(len(table), 1), rate)
