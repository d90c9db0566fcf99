"""The output regularisation of AWD-LSTM: dropout, and a loss on how large and how fast the output is."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from fastweights.nn.parts.auxiliary_loss import AuxiliaryLoss
from fastweights.nn.parts.checks import check_range
from fastweights.nn.parts.dropout import VariationalDropout
from fastweights.ops.types import at_least_float32


class OutputRegulariser(AuxiliaryLoss):
    """Variational dropout of an output, with activation and temporal activation regularisation.

        ŷ              = drop(y)                                    the same features at all steps of a row
        auxiliary_loss = α mean(ŷ²) + β mean((y(t+1) − y(t))²)      over real steps and features

    It serves attention as well as LSTMs. Outside
    training y is returned as it is, and `auxiliary_loss` is None.

    Args:
        dropout: the probability that a feature of a row is dropped, 0 to 1.
        activation: α ≥ 0, the weight on large outputs (AR).
        slowness: β ≥ 0, the weight on outputs that differ from one step to the next (TAR).

    Raises:
        UserError: for an option outside its range.

    Source: Merity, McCann & Socher, "Revisiting Activation Regularization for Language RNNs",
    2017; as Merity, Keskar & Socher use it in "Regularizing and Optimizing LSTM Language Models",
    ICLR 2018: α on the dropped output, β on the output before.

    Example:
        >>> import torch
        >>> regulariser = OutputRegulariser(dropout=0.0, activation=2.0, slowness=1.0)
        >>> y = regulariser(torch.tensor([[[1.0], [3.0]]]))
        >>> float(regulariser.auxiliary_loss)
        14.0
    """

    def __init__(
        self, dropout: float = 0.4, activation: float = 2.0, slowness: float = 1.0
    ) -> None:
        super().__init__()
        check_range("dropout", dropout, 0, 1)
        check_range("activation", activation, 0)
        check_range("slowness", slowness, 0)
        self.dropout = VariationalDropout(dropout)
        self.activation, self.slowness = activation, slowness

    def forward(
        self,
        y: Float[Tensor, "*batch time features"],
        mask: Bool[Tensor, "*batch time"] | None = None,
    ) -> Float[Tensor, "*batch time features"]:
        """Drop features and set `auxiliary_loss`; mask: True = a real step."""
        if not self.computes_auxiliary_loss:
            self.auxiliary_loss = None
            return y
        dropped = self.dropout(y)
        pairs = None if mask is None else mask[..., 1:] & mask[..., :-1]
        large = _mean_square(dropped, mask)
        fast = _mean_square(y[..., 1:, :] - y[..., :-1, :], pairs)
        self.auxiliary_loss = self.activation * large + self.slowness * fast
        return dropped

    def extra_repr(self) -> str:
        return f"activation={self.activation:g}, slowness={self.slowness:g}"


def _mean_square(
    x: Float[Tensor, "*batch time features"], mask: Bool[Tensor, "*batch time"] | None
) -> Float[Tensor, ""]:
    """Return the mean of x² over the steps of the mask and all features, in float32 at least; 0 of no steps."""
    square = x.to(at_least_float32(x.dtype)).square()
    if mask is None:
        return square.sum() / max(square.numel(), 1)
    steps = mask.sum().clamp(min=1)
    return square.masked_fill(~mask[..., None], 0).sum() / (steps * x.shape[-1])
