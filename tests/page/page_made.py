"""Untrained networks whose numbers are as large as trained ones', and what a page holds of them."""

from __future__ import annotations

from typing import Any

import torch

from fastweights.experiments.catbabi import page as catbabi
from fastweights.experiments.experiment import PageContents
from fastweights.experiments.retrieval import page as retrieval
from fastweights.models import SequenceModel, from_config, model_config
from fastweights.tasks import Retrieval
from fastweights.tasks.babi.encoded import ALL_WORDS


def shaken(model: SequenceModel) -> SequenceModel:
    """Add noise to every parameter, so that none is 0 or 1 as it begins."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def fast_weights(
    form: str = "paper", model: str = "fast-weights", **given: Any
) -> tuple[SequenceModel, PageContents]:
    """Return a fast-weights network for retrieval, and its page."""
    sizes = {name: given.pop(name) for name in ("embedding", "readout") if name in given}
    hidden = given.pop("hidden", 20)
    config = model_config(model, input=37, hidden=hidden, classes=10, **sizes, options=given)
    network = shaken(from_config(config))
    return network, retrieval.described(network, Retrieval(4, form=form), {"hidden units": "20"})


VOCABULARY = tuple(ALL_WORDS)


def fwm(**given: Any) -> tuple[SequenceModel, PageContents]:
    """Return a Fast Weight Memory in the words of all bAbI tasks, and its page."""
    options = {"memory_size": 6, **given}
    sizes = {"input": len(VOCABULARY), "hidden": 16, "classes": len(VOCABULARY), "embedding": 12}
    network = shaken(from_config(model_config("fwm", **sizes, head_bias=False, options=options)))
    return network, catbabi.described(network, VOCABULARY, "qa", None, {"LSTM units": "16"})
