"""From a run folder to a model ready to use."""

from __future__ import annotations

import os
import warnings
from typing import Any

from fastweights.errors import Note, UserError
from fastweights.io.typed import check
from fastweights.models import SequenceModel, describe, from_config
from fastweights.models.config import ModelConfig
from fastweights.runs.checkpoint import MODEL, Checkpoint, part
from fastweights.runs.run import Run


def load(folder: str | os.PathLike[str]) -> SequenceModel:
    """Rebuild a run's model from its `config.json`, with the newest checkpoint's weights.

    Args:
        folder: a run folder, or one that `fastweights export` wrote; where there is no such folder, the name of a model
            that comes with the library ("retrieval", "catbabi"), or "owner/name" on the Hugging Face hub.

    Returns:
        the model in evaluation mode, on the CPU, in the dtype it was trained in.

    Warns:
        Note: on a run that was stopped, of which step the weights are, where that is not simply the newest.

    Raises:
        UserError: if it is not a run folder, or has no whole checkpoint, or the weights are another
            model's.

    Example:
        >>> from fastweights.tasks import Retrieval
        >>> model = load("retrieval")
        >>> logits, _ = model(Retrieval(8).encode("a3k7q1x9b2m5t8z4??q")[None])
        >>> int(logits[0, -1].argmax())
        1
    """
    run = Run.open(folder)
    found = run.load_checkpoint()
    if found is None:
        raise UserError(f"run {run.folder} has no checkpoint yet")
    run.check_rows(found)
    model = from_config(model_of(run))
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


def model_of(run: Run) -> dict[str, Any]:
    """Return the configuration of the model that a run trained, as `from_config` takes it.

    Raises:
        UserError: if the run does not say it, or says something in it of another type than what is written.
    """
    place, config = run.folder / "config.json", run.config.get("model")
    if not isinstance(config, dict):
        raise UserError(f"run {run.folder} does not say in config.json which model it trained")
    check(place, config, ModelConfig)
    check(place, config.get("options") or {}, describe(config["name"]).builder)
    return config


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
