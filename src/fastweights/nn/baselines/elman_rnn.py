"""The plain recurrent network (Elman 1990): the control, without normalisation or identity start."""

from __future__ import annotations

from typing import Literal, Unpack

from torch import nn

from fastweights.errors import check_choice
from fastweights.nn.backbone import HiddenState
from fastweights.nn.baselines.torch_rnn import TorchRNN
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions


class ElmanRNN(TorchRNN[HiddenState]):
    """h(t) = f(W h(t-1) + C x(t) + b), as `torch.nn.RNN` computes and initialises it.

    Args:
        input_size: features of x.
        hidden_size: features of h.
        nonlinearity: f, "relu" or "tanh".
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Raises:
        UserError: for an option outside its range.

    Source: Elman, "Finding Structure in Time", Cognitive Science 1990.

    Example:
        >>> import torch
        >>> y, state = ElmanRNN(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.hidden.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        nonlinearity: Literal["relu", "tanh"] = "relu",
        **options: Unpack[LayerOptions],
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_choice("nonlinearity", nonlinearity, ("relu", "tanh"))
        super().__init__(
            nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True)
        )
