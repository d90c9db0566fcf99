"""Evaluation mode and dropout-free training as context managers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from fastweights.nn.parts.auxiliary_loss import AuxiliaryLoss


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode; afterwards every module is in the mode it was in.

    Example:
        >>> model = nn.Dropout(0.5)
        >>> with evaluating(model):
        ...     model.training
        False
        >>> model.training
        True
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Turn dropout off for training: the outputs of evaluation mode, with all that a trainer needs.

    Modules set their auxiliary losses as in training. Recurrent modules of `torch.nn` without dropout stay in the mode
    they are in, since cuDNN has no backward outside training.

    Example:
        >>> import torch
        >>> from fastweights.nn import MetalearnedNeuralMemory
        >>> layer = MetalearnedNeuralMemory(3, 4, memory_size=2)
        >>> with without_dropout(layer):
        ...     y, _ = layer(torch.randn(1, 5, 3))
        >>> layer.auxiliary_loss is None
        False
    """
    unchanged = [
        (m, m.training) for m in model.modules() if isinstance(m, nn.RNNBase) and not m.dropout
    ]
    computed = [
        (m, m.computed_in_evaluation) for m in model.modules() if isinstance(m, AuxiliaryLoss)
    ]
    with evaluating(model):
        for module, training in unchanged:
            module.training = training
        for module, _ in computed:
            module.computed_in_evaluation = True
        try:
            yield
        finally:
            for module, before in computed:
                module.computed_in_evaluation = before
