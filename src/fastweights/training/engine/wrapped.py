"""The model inside what other tools put around it, whose weights have the names that a run is loaded by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fastweights import models
from fastweights.errors import UserError
from fastweights.training.engine import seeds


def bare(model: nn.Module) -> nn.Module:
    """Return the model that `torch.compile`, `DistributedDataParallel` or `DataParallel` was given.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> bare(nn.DataParallel(layer)) is layer and bare(layer) is layer
        True
    """
    around = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        inner = model.module if isinstance(model, around) else getattr(model, "_orig_mod", None)
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def check_loads(model: nn.Module, config: Mapping[str, Any]) -> None:
    """Check that the weights of `model` are those of the model in a run's config, which loading builds.

    A config without a model of this library is another's to load.

    Raises:
        UserError: naming the first weight that is not, or is missing.
    """
    described = config.get("model")
    if not isinstance(described, dict):
        return
    try:
        with seeds.fork_rng(torch.device("cpu")), torch.device("meta"):
            built = models.from_config(described)
    except (UserError, TypeError, KeyError):
        return
    wanted = {name: tensor.shape for name, tensor in built.state_dict().items()}
    given = {name: tensor.shape for name, tensor in model.state_dict().items()}
    for name in [*given, *wanted]:
        if given.get(name) != wanted.get(name):
            here, there = (_shape(shapes.get(name)) for shapes in (given, wanted))
            raise UserError(
                f"the run's config describes another model than is to be trained ({name}: {there} there, {here}"
                " here), so it could not be loaded: train the model itself, not a module around or in it"
            )


def _shape(shape: torch.Size | None) -> str:
    return "none" if shape is None else f"of shape {list(shape)}"
