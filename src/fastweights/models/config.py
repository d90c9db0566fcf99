"""A model's configuration: plain values that a run records and that rebuild the model."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from fastweights.errors import UserError, unknown
from fastweights.models.encoders import DroppedEmbedding, OneHot
from fastweights.models.registry import build, describe
from fastweights.models.sequence_model import SequenceModel
from fastweights.nn.backbone import Backbone
from fastweights.nn.parts.checks import check_range, check_sizes


def model_config(
    name: str,
    *,
    input: int,
    hidden: int,
    classes: int,
    inputs: str = "classes",
    embedding: int | None = None,
    readout: int | None = None,
    head_bias: bool = True,
    word_dropout: float = 0.0,
    embedding_dropout: float = 0.0,
    input_dropout: float = 0.0,
    tied: bool = False,
    embedding_range: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe a sequence model in plain values.

    Args:
        name: a backbone's registered name or alias.
        input: how many token classes come in, or features of the vectors that do.
        hidden: hidden units of the backbone.
        classes: how many classes go out; of an agent, its actions and the value.
        inputs: "classes": integers; "vectors": features as they are.
        embedding: size of a learned embedding of the classes, or units of a ReLU layer that reads
            the vectors; None feeds one-hot vectors, or the vectors themselves.
        readout: units of a ReLU layer before the output layer; None leaves it out.
        head_bias: False leaves the output layer's bias out and starts its weights Xavier-normal, as
            Schlag et al. 2021 do.
        word_dropout: the probability that a class's whole embedding is dropped in training.
        embedding_dropout: the probability that an element of an embedding is.
        input_dropout: the probability that a feature of a vector is, at each step anew.
        tied: the output layer's weight is the embedding's, one and the same parameter (Inan,
            Khosravi & Socher 2017; Press & Wolf 2017); its bias is its own and starts at zero. It
            needs as many classes out as in, an embedding as large as what the backbone puts out,
            and no readout.
        embedding_range: r, with which the embedding starts uniform in ±r; None starts it normal, as
            `torch.nn.Embedding` does.
        options: the backbone's options.

    Raises:
        UserError: for an unknown name, a size that is not a positive integer, parts that cannot be
            tied, or options that are no mapping.

    Example:
        >>> model_config("LSTM", input=37, hidden=50, classes=10)["name"]
        'lstm'
    """
    if not isinstance(options, Mapping | None):
        raise UserError(f"options is {options!r}; accepted: a mapping of names to values")
    if inputs not in ("classes", "vectors"):
        raise UserError(f"inputs must be classes or vectors, not {inputs!r}")
    if inputs == "vectors" and (word_dropout or embedding_dropout):
        raise UserError("word_dropout and embedding_dropout are of an embedding of classes")
    if inputs == "classes" and input_dropout:
        raise UserError("input_dropout is of vectors: classes have word_dropout")
    check_range("input_dropout", input_dropout, 0, 1)
    if (tied or embedding_range is not None) and (inputs == "vectors" or embedding is None):
        raise UserError("tied and embedding_range are of an embedding of classes")
    if tied and (readout is not None or input != classes):
        raise UserError(
            f"{input} classes in, {classes} out and a readout of {readout} cannot be tied; "
            "accepted: as many classes out as in, and no readout"
        )
    if embedding_range is not None:
        check_range("embedding_range", embedding_range, 0)
    check_sizes(input=input, hidden=hidden, classes=classes)
    optional = {"embedding": embedding, "readout": readout}
    check_sizes(**{kind: size for kind, size in optional.items() if size is not None})
    return {
        "name": describe(name).name,
        "input": input,
        "hidden": hidden,
        "classes": classes,
        "inputs": inputs,
        **optional,
        "head_bias": head_bias,
        "word_dropout": word_dropout,
        "embedding_dropout": embedding_dropout,
        "input_dropout": input_dropout,
        "tied": tied,
        "embedding_range": embedding_range,
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
    keys = {*inspect.signature(model_config).parameters}
    for key in config:
        if key not in keys:
            raise unknown("key of a model's configuration", key, keys)
    missing = {"name", "input", "hidden", "classes"} - config.keys()
    if missing:
        raise UserError(f"the model's configuration lacks {', '.join(sorted(missing))}")
    config = model_config(**config)
    features = config["embedding"] or config["input"]
    backbone = build(config["name"], features, config["hidden"], **config["options"])
    encoder = _encoder(config, backbone)
    head = _head(backbone.output_size, config["readout"], config["classes"], config["head_bias"])
    if config["tied"]:
        _tie(encoder, head)
    model = SequenceModel(encoder, backbone, head)
    model.config = config
    return model


def _encoder(config: Mapping[str, Any], backbone: Backbone) -> nn.Module:
    """A learned embedding, or one-hot vectors, which some backbones do without; of vectors, a ReLU layer or none."""
    classes, embedding = config["input"], config["embedding"]
    if config["inputs"] == "vectors":
        read = [] if embedding is None else [nn.Linear(classes, embedding), nn.ReLU()]
        dropped = [nn.Dropout(config["input_dropout"])] if config["input_dropout"] else []
        return nn.Sequential(*dropped, *read)
    words, elements = config["word_dropout"], config["embedding_dropout"]
    if embedding is None:
        if words or elements:
            raise UserError("word_dropout and embedding_dropout need an embedding")
        return nn.Identity() if backbone.takes_classes else OneHot(classes)
    if words or elements:
        table = DroppedEmbedding(classes, embedding, words=words, elements=elements)
    else:
        table = nn.Embedding(classes, embedding)
    if config["embedding_range"] is not None:
        nn.init.uniform_(table.weight, -config["embedding_range"], config["embedding_range"])
    return table


def _head(features: int, readout: int | None, classes: int, bias: bool) -> nn.Module:
    """A linear output layer, behind a ReLU layer of `readout` units if there is one."""
    last = nn.Linear(features if readout is None else readout, classes, bias=bias)
    if not bias:
        nn.init.xavier_normal_(last.weight)
    if readout is None:
        return last
    return nn.Sequential(nn.Linear(features, readout), nn.ReLU(), last)


def _tie(encoder: nn.Module, head: nn.Module) -> None:
    """Make the embedding's weight the head's too."""
    assert isinstance(encoder, nn.Embedding) and isinstance(head, nn.Linear)
    if encoder.embedding_dim != head.in_features:
        raise UserError(
            f"an embedding of {encoder.embedding_dim} cannot be tied to a backbone that puts out "
            f"{head.in_features} features; accepted: the same"
        )
    head.weight = encoder.weight
    if head.bias is not None:
        nn.init.zeros_(head.bias)
