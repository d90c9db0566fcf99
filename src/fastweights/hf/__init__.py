"""The door to `transformers`: fast weight language models as a `PreTrainedModel`.

Importing it registers the model with `AutoConfig` and `AutoModelForCausalLM`.
"""

import fastweights.hf.available  # noqa: F401  (first: it says what to install)
from fastweights.hf.acceleration import Accelerated, accelerate, gated_delta_rule
from fastweights.hf.cache import RecurrentCache
from fastweights.hf.config import FastWeightConfig
from fastweights.hf.model import FastWeightForCausalLM
from fastweights.hf.pretrained import from_run
from fastweights.hf.tokenizer import pretrained_tokenizer

__all__ = [
    "Accelerated",
    "FastWeightConfig",
    "FastWeightForCausalLM",
    "RecurrentCache",
    "accelerate",
    "from_run",
    "gated_delta_rule",
    "pretrained_tokenizer",
]
