"""From a run folder to a model ready to use."""

from __future__ import annotations

import os
import warnings

from fastweights.errors import Note, UserError
from fastweights.models import SequenceModel, from_config
from fastweights.runs.checkpoint import MODEL, Checkpoint, part
from fastweights.runs.run import Run


def load(folder: str | os.PathLike[str]) -> SequenceModel:
    """Rebuild a run's model from its `config.json`, with the newest checkpoint's weights.

    Args:
        folder: a run folder.

    Returns:
        the model in evaluation mode, on the CPU, in the dtype it was trained in.

    Warns:
        Note: on a run that was stopped, of which step the weights are, where that is not simply the newest.

    Raises:
        UserError: if it is not a run folder, or has no whole checkpoint, or the weights are another
            model's.
    """
    run = Run.open(folder)
    found = run.load_checkpoint()
    if found is None:
        raise UserError(f"run {run.folder} has no checkpoint yet")
    if not isinstance(run.config.get("model"), dict):
        raise UserError(f"run {run.folder} does not say in config.json which model it trained")
    try:
        model = from_config(run.config["model"])
    except TypeError as error:  # a record changed by hand: keys or types that no model has
        raise UserError(f"config.json of run {run.folder} does not describe a model") from error
    weights = part(found.tensors, MODEL)
    floating = [tensor.dtype for tensor in weights.values() if tensor.is_floating_point()]
    if floating:
        model.to(floating[0])
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"the weights in {run.folder} do not fit the model in its config.json"
        ) from error
    _say_which(run, found)
    return model.eval()


def _say_which(run: Run, found: Checkpoint) -> None:
    """Note of a run that was stopped, and keeps its best weights, which these are."""
    meta = found.meta
    if meta.get("finished", True) or meta.get("best") is None:
        return
    why = "its best evaluation so far"
    if meta["evaluated"][1] == 0:
        why = "the newest, since nothing but the start was evaluated"
    warnings.warn(
        f"run {run.folder} was stopped at step {found.step}: the weights are those of step {meta['weights']}, {why}",
        Note,
        stacklevel=3,
    )
