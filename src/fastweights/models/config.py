"""A model's configuration: plain values that a run records and that rebuild the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import nn

from fastweights.errors import UserError, check_choice
from fastweights.models.encoders import DroppedEmbedding, OneHot
from fastweights.models.registry import build, describe
from fastweights.models.sequence_model import SequenceModel
from fastweights.nn.baselines.causal_convolution import CausalConvolution
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.stacks.stack import Stack


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The parts of a sequence model in plain values.

    Attributes:
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
            needs as many classes out as in, an embedding as large as the backbone's output, and no
            readout.
        convolution: steps that a `nn.CausalConvolution` between the input and the backbone sees, the present one
            included; None leaves it out.
        embedding_range: r, with which the embedding starts uniform in ±r; None starts it normal, as
            `torch.nn.Embedding` does.
        options: the backbone's options.

    Raises:
        UserError: for an unknown name, a size that is not a positive integer, parts that cannot be
            tied, or options that are no mapping.
    """

    name: str
    input: int
    hidden: int
    classes: int
    inputs: str = "classes"
    embedding: int | None = None
    readout: int | None = None
    head_bias: bool = True
    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    input_dropout: float = 0.0
    tied: bool = False
    embedding_range: float | None = None
    convolution: int | None = None
    options: Mapping[str, Any] | None = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.options, Mapping | None):
            raise UserError(f"options is {self.options!r}; accepted: a mapping of names to values")
        object.__setattr__(self, "options", dict(self.options or {}))
        self._check_inputs()
        self._check_tied()
        sizes = {kind: getattr(self, kind) for kind in ("input", "hidden", "classes")}
        optional = {
            "embedding": self.embedding,
            "readout": self.readout,
            "convolution": self.convolution,
        }
        check_sizes(**sizes, **{kind: size for kind, size in optional.items() if size is not None})
        object.__setattr__(self, "name", describe(self.name).name)

    def _check_inputs(self) -> None:
        if self.inputs not in ("classes", "vectors"):
            raise UserError(f"inputs must be classes or vectors, not {self.inputs!r}")
        if self.inputs == "vectors" and (self.word_dropout or self.embedding_dropout):
            raise UserError("word_dropout and embedding_dropout are of an embedding of classes")
        if self.inputs == "classes" and self.input_dropout:
            raise UserError("input_dropout is of vectors: classes have word_dropout")
        check_range("input_dropout", self.input_dropout, 0, 1)

    def _check_tied(self) -> None:
        embedded = self.inputs == "classes" and self.embedding is not None
        if (self.tied or self.embedding_range is not None) and not embedded:
            raise UserError("tied and embedding_range are of an embedding of classes")
        if self.tied and (self.readout is not None or self.input != self.classes):
            raise UserError(
                f"{self.input} classes in, {self.classes} out and a readout of {self.readout} cannot "
                "be tied; accepted: as many classes out as in, and no readout"
            )
        if self.embedding_range is not None:
            check_range("embedding_range", self.embedding_range, 0)

    def build(self) -> SequenceModel:
        """Build the model; it keeps the configuration as its `.config`."""
        features = self.embedding or self.input
        backbone = build(self.name, features, self.hidden, **(self.options or {}))
        if self.convolution is not None:
            backbone = Stack([CausalConvolution(features, self.convolution), backbone])
        encoder, head = self._encoder(backbone.takes_classes), self._head(backbone.output_size)
        if self.tied:
            _tie(encoder, head)
        model = SequenceModel(encoder, backbone, head)
        model.config = dict(vars(self))
        return model

    def _encoder(self, takes_classes: bool) -> nn.Module:
        """Build an embedding, one-hot vectors where the backbone takes no classes, or a ReLU layer for vectors."""
        if self.inputs == "vectors":
            layers: list[nn.Module] = [nn.Dropout(self.input_dropout)] if self.input_dropout else []
            if self.embedding is not None:
                layers += [nn.Linear(self.input, self.embedding), nn.ReLU()]
            return nn.Sequential(*layers)
        words, elements = self.word_dropout, self.embedding_dropout
        if self.embedding is None:
            if words or elements:
                raise UserError("word_dropout and embedding_dropout need an embedding")
            return nn.Identity() if takes_classes else OneHot(self.input)
        if words or elements:
            table = DroppedEmbedding(self.input, self.embedding, words=words, elements=elements)
        else:
            table = nn.Embedding(self.input, self.embedding)
        if self.embedding_range is not None:
            nn.init.uniform_(table.weight, -self.embedding_range, self.embedding_range)
        return table

    def _head(self, features: int) -> nn.Module:
        """Build a linear output layer, behind a ReLU layer of `readout` units if there is one."""
        last = nn.Linear(self.readout or features, self.classes, bias=self.head_bias)
        if not self.head_bias:
            nn.init.xavier_normal_(last.weight)
        if self.readout is None:
            return last
        return nn.Sequential(nn.Linear(features, self.readout), nn.ReLU(), last)


def model_config(name: str, **values: Any) -> dict[str, Any]:
    """Describe a sequence model in plain values.

    Args:
        name: a backbone's registered name or alias.
        values: the other attributes of `ModelConfig`, of which input, hidden and classes have no defaults.

    Raises:
        UserError: as `ModelConfig` does.

    Example:
        >>> model_config("LSTM", input=37, hidden=50, classes=10)["name"]
        'lstm'
    """
    return dict(vars(ModelConfig(name=name, **values)))


def from_config(config: Mapping[str, Any]) -> SequenceModel:
    """Build the sequence model that `model_config` describes; it keeps that as its `.config`.

    Raises:
        UserError: for an unknown key, name or option, or a missing one.

    Example:
        >>> config = model_config("fast-weights", input=37, hidden=50, classes=10, readout=100)
        >>> from_config(config).config == config
        True
    """
    keys = {each.name for each in fields(ModelConfig)}
    for key in config:
        check_choice("key of a model's configuration", key, keys)
    missing = {"name", "input", "hidden", "classes"} - config.keys()
    if missing:
        raise UserError(f"the model's configuration lacks {', '.join(sorted(missing))}")
    return ModelConfig(**config).build()


def _tie(encoder: nn.Module, head: nn.Module) -> None:
    """Share the embedding's weight with the head."""
    assert isinstance(encoder, nn.Embedding) and isinstance(head, nn.Linear)
    if encoder.embedding_dim != head.in_features:
        raise UserError(
            f"an embedding of {encoder.embedding_dim} cannot be tied to a backbone with "
            f"{head.in_features} output features; accepted: the same"
        )
    head.weight = encoder.weight
    if head.bias is not None:
        nn.init.zeros_(head.bias)
