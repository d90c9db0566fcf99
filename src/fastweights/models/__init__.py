"""Models: an encoder, a backbone and a head; backbones by name."""

from fastweights.models import backbones, registry
from fastweights.models.config import from_config, model_config
from fastweights.models.encoders import DroppedEmbedding, OneHot
from fastweights.models.generation import generate
from fastweights.models.registry import build, describe, names, options, register
from fastweights.models.sequence_model import SequenceModel

__all__ = [
    "DroppedEmbedding",
    "OneHot",
    "SequenceModel",
    "backbones",
    "build",
    "describe",
    "from_config",
    "generate",
    "model_config",
    "names",
    "options",
    "register",
    "registry",
]
