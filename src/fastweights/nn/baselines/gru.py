"""The gated recurrent unit, as `torch.nn.GRU` computes and initialises it."""

from __future__ import annotations

from typing import Unpack

from torch import nn

from fastweights.nn.backbone import HiddenState
from fastweights.nn.baselines.torch_rnn import TorchRNN
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions


class GRU(TorchRNN[HiddenState]):
    """A recurrent network whose gates decide what is kept and what is written anew.

        r, z = σ(W_ih x(t) + b_ih + W_hh h(t-1) + b_hh)
        n    = tanh(W_in x(t) + b_in + r ⊙ (W_hn h(t-1) + b_hn))
        h(t) = (1 − z) ⊙ n + z ⊙ h(t-1)

    Args:
        input_size: features of x.
        hidden_size: features of h.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: those of `torch.nn.GRU`, as `rnn`.

    Raises:
        UserError: for a size that is not positive.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation", EMNLP 2014, with the reset gate behind the product, as cuDNN has it.

    Example:
        >>> import torch
        >>> y, state = GRU(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.hidden.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16]))
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Unpack[LayerOptions]) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        super().__init__(nn.GRU(input_size, hidden_size, batch_first=True))
