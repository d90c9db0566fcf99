"""The configuration of a pretrained fast weight model, in the plain values of its `config.json`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from fastweights import models
from fastweights.errors import UserError
from fastweights.io.atomic import write_atomically

FORMAT = 1
FIELDS = {
    "name": "backbone",
    "input": "vocab_size",
    "hidden": "hidden_size",
    "classes": "vocab_size",
    "embedding": "embedding_size",
    "readout": "readout_size",
    "head_bias": "head_bias",
    "tied": "tie_word_embeddings",
    "embedding_range": "embedding_range",
    "word_dropout": "word_dropout",
    "embedding_dropout": "embedding_dropout",
    "options": "options",
}
"""What stands for each argument of `models.model_config`."""
DOOR = "modeling_fastweights"
"""The module of a saved folder that names the classes, for programs that do not import `fastweights.hf` themselves."""
CODE = '''"""The model is of the installed `fastweights`; there is no other code in this folder."""

from fastweights.hf import FastWeightConfig, FastWeightForCausalLM
'''


class FastWeightConfig(PreTrainedConfig):
    """The configuration of a `FastWeightForCausalLM`: any backbone of the registry by its name, with its options.

    Args:
        vocab_size: tokens.
        backbone: a registered name or alias, as `fastweights list` has them.
        hidden_size: hidden units of the backbone.
        embedding_size: features of a token's vector; None: one-hot vectors.
        options: the backbone's options.
        readout_size: units of a ReLU layer before the output layer; None: there is none.
        head_bias: whether the output layer has a bias.
        tie_word_embeddings: whether the output layer's weights are the tokens' vectors.
        embedding_range: tokens' vectors start uniform in ± this; None: as `torch.nn.Embedding` does.
        word_dropout: the probability, in training, that a token's whole vector is dropped.
        embedding_dropout: the probability that an element of the vectors is.
        auxiliary_weight: of the backbone's objectives of its own (`nn.parts.auxiliary_loss`) in the loss.
        use_cache: whether a forward outside training returns the state.
        bos_token_id, eos_token_id, pad_token_id: special tokens; None: there is none.
        format: of this record.
        kwargs: what `transformers.PreTrainedConfig` takes.

    Raises:
        UserError: for an unknown backbone, a size that is no positive integer, or another format.

    Example:
        >>> config = FastWeightConfig(vocab_size=10, backbone="deltanet", hidden_size=8, embedding_size=4)
        >>> config.backbone, config.describe()["embedding"]
        ('deltanet', 4)
    """

    model_type = "fastweights"
    keys_to_ignore_at_inference = ["cache", "past_key_values"]  # noqa: RUF012  (a Trainer adds a list to it)

    def __init__(
        self,
        vocab_size: int = 10_000,
        backbone: str = "fwm",
        hidden_size: int = 256,
        embedding_size: int | None = 256,
        options: Mapping[str, Any] | None = None,
        readout_size: int | None = None,
        head_bias: bool = True,
        tie_word_embeddings: bool = False,
        embedding_range: float | None = None,
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        auxiliary_weight: float = 1.0,
        use_cache: bool = True,
        bos_token_id: int | None = None,
        eos_token_id: int | None = None,
        pad_token_id: int | None = None,
        format: int = FORMAT,
        **kwargs: Any,
    ) -> None:
        if format != FORMAT:
            raise UserError(
                f"the model has format {format!r}, this version of fastweights reads {FORMAT}"
            )
        super().__init__(**kwargs)
        self.format = format
        self.vocab_size, self.backbone, self.hidden_size = vocab_size, backbone, hidden_size
        self.embedding_size, self.readout_size = embedding_size, readout_size
        self.options = dict(options or {})
        self.head_bias, self.tie_word_embeddings = head_bias, tie_word_embeddings
        self.embedding_range = embedding_range
        self.word_dropout, self.embedding_dropout = word_dropout, embedding_dropout
        self.auxiliary_weight, self.use_cache = auxiliary_weight, use_cache
        self.bos_token_id, self.eos_token_id = bos_token_id, eos_token_id
        self.pad_token_id = pad_token_id
        self.backbone = self.describe()["name"]

    def describe(self) -> dict[str, Any]:
        """Return what `models.from_config` builds the model from."""
        return models.model_config(**{name: getattr(self, own) for name, own in FIELDS.items()})

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], push_to_hub: bool = False, **kwargs: Any
    ) -> None:
        """Save as `transformers.PreTrainedConfig` does, with the module that `trust_remote_code=True` loads."""
        self.auto_map = {
            "AutoConfig": f"{DOOR}.FastWeightConfig",
            "AutoModelForCausalLM": f"{DOOR}.FastWeightForCausalLM",
        }
        super().save_pretrained(save_directory, push_to_hub, **kwargs)
        write_atomically(Path(save_directory, f"{DOOR}.py"), CODE.encode())

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoConfig") -> None:
        """Do nothing: the code of the classes is the library's, and none of it is copied into a folder."""

    @classmethod
    def of(cls, config: Mapping[str, Any], **kwargs: Any) -> FastWeightConfig:
        """Build from a model's configuration as `models.model_config` gives it and a run records it.

        Args:
            config: of a model from tokens to the tokens that follow.
            kwargs: what else to say; the arguments of this class.

        Raises:
            UserError: for a model that reads vectors, or whose outputs are other than the tokens it reads.

        Example:
            >>> config = models.model_config("lstm", input=10, hidden=8, classes=10, embedding=8)
            >>> FastWeightConfig.of(config).describe() == config
            True
        """
        config = models.model_config(**config)
        if config["inputs"] != "classes" or config["input"] != config["classes"]:
            raise UserError("a language model reads and predicts tokens of one vocabulary")
        return cls(**{own: config[name] for name, own in FIELDS.items()}, **kwargs)
