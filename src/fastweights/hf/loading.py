"""Loading a model: what a saved one must bring with it, and what is made anew because it is never saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fastweights import models
from fastweights.errors import UserError
from fastweights.models import SequenceModel


def check_weights(model: nn.Module, found: Mapping[str, Any]) -> None:
    """Raise `UserError` if the weights found are not those of the model.

    Args:
        model: as built from its configuration.
        found: `missing_keys`, `unexpected_keys` and `mismatched_keys`, as `from_pretrained` reports them.
    """
    place = getattr(model, "name_or_path", "") or "the checkpoint"
    hint = "was it saved by another version of fastweights?"
    for name, saved, wanted in sorted(found["mismatched_keys"]):
        raise UserError(
            f"{place}: {name} has shape {list(saved)}, its config.json describes {list(wanted)}; "
            "are the weights of another vocabulary?"
        )
    for name in sorted(found["missing_keys"]):
        raise UserError(f"{place} lacks {name}, which its config.json describes; {hint}")
    for name in sorted(found["unexpected_keys"]):
        raise UserError(f"{place} has {name}, which its config.json does not describe; {hint}")


def restore_constants(model: SequenceModel) -> None:
    """Fill in the buffers that are no part of a saved model, as a new one has them.

    `transformers` builds a model without memory and gives it what was saved; constants are left unset.
    """
    saved = model.state_dict().keys()
    constants = {name: tensor for name, tensor in model.named_buffers() if name not in saved}
    if not constants:
        return
    assert model.config is not None
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        fresh = dict(models.from_config(model.config).named_buffers())
    with torch.no_grad():
        for name, tensor in constants.items():
            tensor.copy_(fresh[name])


def check_placed(model: nn.Module, inner: SequenceModel, tied: bool) -> None:
    """Raise `UserError` if accelerate keeps weights on a disk or elsewhere that are read without their module's call.

    It fetches what it has offloaded when the module that owns it is called. The kernels of a backbone read weights of
    its parts, of an embedding they look up themselves, and a tied head reads the embedding's: nothing fetches those.

    Args:
        model: the model that accelerate was given.
        inner: its encoder, backbone and head.
        tied: whether its head's weights are its embedding's.
    """
    if not hasattr(model, "_hf_hook"):
        return
    read: dict[str, nn.Module] = {"backbone": inner.backbone}
    if inner.backbone.takes_embedded or tied:
        read["encoder"] = inner.encoder
    if tied:
        read["head"] = inner.head
    for part, module in read.items():
        for name, weight in module.named_parameters(f"model.{part}"):
            if weight.is_meta:
                raise UserError(
                    f"{name} is offloaded; accepted: the whole model on one device, as "
                    'from_pretrained(…, device_map={"": "cpu"}) or .to(device) puts it'
                )
