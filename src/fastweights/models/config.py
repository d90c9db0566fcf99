"""A model's configuration: plain values that a run records and that rebuild the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fastweights.models.encoders import OneHot
from fastweights.models.registry import build, describe
from fastweights.models.sequence_model import SequenceModel


def model_config(
    name: str,
    *,
    input: int,
    hidden: int,
    classes: int,
    embedding: int | None = None,
    readout: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a sequence model over tokens in plain values.

    Args:
        name: a backbone's registered name or alias.
        input: how many token classes come in.
        hidden: hidden units of the backbone.
        classes: how many classes go out.
        embedding: size of a learned embedding; None feeds one-hot vectors.
        readout: units of a ReLU layer before the output layer; None leaves it out.
        options: the backbone's options.

    Example:
        >>> model_config("LSTM", input=37, hidden=50, classes=10)["name"]
        'lstm'
    """
    return {
        "name": describe(name).name,
        "input": input,
        "hidden": hidden,
        "classes": classes,
        "embedding": embedding,
        "readout": readout,
        "options": dict(options or {}),
    }


def from_config(config: Mapping[str, Any]) -> SequenceModel:
    """Build the sequence model that `model_config` describes; it keeps that as its `.config`.

    Raises:
        UserError: for an unknown key, name or option, or a missing one.

    Example:
        >>> config = model_config("fast-weights", input=37, hidden=50, classes=10, readout=100)
        >>> from_config(config).config == config
        True
    """
    config = model_config(**config)
    features = config["embedding"] or config["input"]
    backbone = build(config["name"], features, config["hidden"], **config["options"])
    encoder = nn.Embedding(config["input"], features) if config["embedding"] else OneHot(features)
    model = SequenceModel(
        encoder, backbone, _head(backbone.output_size, config["readout"], config["classes"])
    )
    model.config = config
    return model


def _head(features: int, readout: int | None, classes: int) -> nn.Module:
    """A linear output layer, behind a ReLU layer of `readout` units if there is one."""
    if readout is None:
        return nn.Linear(features, classes)
    return nn.Sequential(nn.Linear(features, readout), nn.ReLU(), nn.Linear(readout, classes))
