"""From a run folder to a model ready to use."""

from __future__ import annotations

import os

from torch import nn

from fastweights.errors import UserError
from fastweights.runs.run import Run


def load(folder: str | os.PathLike[str]) -> nn.Module:
    """Rebuild a run's model from its `config.json`, with the newest checkpoint's weights.

    Args:
        folder: a run folder.

    Returns:
        the model in evaluation mode, on the CPU, in the dtype it was trained in.

    Raises:
        UserError: if it is not a run folder, or has no whole checkpoint, or the weights are another
            model's.
    """
    from fastweights import models

    run = Run.open(folder)
    found = run.load_checkpoint()
    if found is None:
        raise UserError(f"run {run.folder} has no checkpoint yet")
    if not isinstance(run.config.get("model"), dict):
        raise UserError(f"run {run.folder} does not say in config.json which model it trained")
    model = models.from_config(run.config["model"])
    weights = {
        name.removeprefix("model."): tensor
        for name, tensor in found.tensors.items()
        if name.startswith("model.")
    }
    floating = [tensor.dtype for tensor in weights.values() if tensor.is_floating_point()]
    if floating:
        model.to(floating[0])
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"the weights in {run.folder} do not fit the model in its config.json"
        ) from error
    return model.eval()
