"""The output of a layer alone, for `torch.nn.Sequential`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Output(nn.Module):
    """A layer that returns y and not its state, so that it can stand in `torch.nn.Sequential`; it begins from zeros.

    Args:
        layer: any `nn.Backbone`, or a module that returns (y, …), as `torch.nn.LSTM` does.

    Example:
        >>> import torch
        >>> from fastweights.nn import FastWeightRNN
        >>> model = nn.Sequential(nn.Linear(8, 16), Output(FastWeightRNN(16, 32)), nn.Linear(32, 2))
        >>> model(torch.randn(4, 11, 8)).shape
        torch.Size([4, 11, 2])
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any, **options: Any) -> Tensor:
        """Run a sequence; options are those of the layer, as `mask`."""
        return self.layer(x, **options)[0]
