"""The ReLU recurrent network that starts as the identity (Le, Jaitly & Hinton 2015)."""

from __future__ import annotations

from typing import Unpack

from torch import nn

from fastweights.nn.backbone import HiddenState
from fastweights.nn.baselines.torch_rnn import TorchRNN
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions


class IRNN(TorchRNN[HiddenState]):
    """h(t) = relu(W h(t-1) + C x(t) + b), W starting as the identity, C small and normal, b zero.

    Args:
        input_size: features of x.
        hidden_size: features of h.
        recurrent_scale: W starts as this times the identity.
        input_std: C starts normal with this standard deviation.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Source: Le, Jaitly & Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear
    Units", 2015.

    Example:
        >>> import torch
        >>> y, state = IRNN(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.hidden.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        recurrent_scale: float = 1.0,
        input_std: float = 0.001,
        **options: Unpack[LayerOptions],
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_range("recurrent_scale", recurrent_scale)
        check_range("input_std", input_std, low=0)
        super().__init__(nn.RNN(input_size, hidden_size, nonlinearity="relu", batch_first=True))
        nn.init.eye_(self.parameter("weight_hh_l0")).data.mul_(recurrent_scale)
        nn.init.normal_(self.parameter("weight_ih_l0"), std=input_std)
        nn.init.zeros_(self.parameter("bias_ih_l0"))
        nn.init.zeros_(self.parameter("bias_hh_l0"))
