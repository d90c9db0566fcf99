"""What a model is in while nothing may be dropped: the same network whenever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from fastweights.nn.parts.auxiliary_loss import Objective


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
    """Let a model learn with its dropout off: the outputs of evaluation mode, but with all that a trainer needs.

    Modules leave their objectives behind as in training. Recurrent modules of `torch.nn` without dropout stay in the
    mode they are in, since cuDNN has no backward outside training.

    Example:
        >>> import torch
        >>> from fastweights.nn import MetalearnedNeuralMemory
        >>> layer = MetalearnedNeuralMemory(3, 4, memory_size=2)
        >>> with without_dropout(layer):
        ...     y, _ = layer(torch.randn(1, 5, 3))
        >>> layer.auxiliary_loss is None
        False
    """
    kept = [(m, m.training) for m in model.modules() if isinstance(m, nn.RNNBase) and not m.dropout]
    asked = [(m, m.asked) for m in model.modules() if isinstance(m, Objective)]
    with evaluating(model):
        for module, training in kept:
            module.training = training
        for module, _ in asked:
            module.asked = True
        try:
            yield
        finally:
            for module, before in asked:
                module.asked = before
