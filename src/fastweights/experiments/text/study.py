"""The study of words: a small configuration of two equal models, and the authors' own by epochs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.study import Cell, Reach, Study
from fastweights.experiments.terminal import counted
from fastweights.experiments.text.options import TextOptions
from fastweights.experiments.text.paper import LOG, TEST

MODELS = ("awd-fwm", "awd-lstm")
SMALL_MODELS = (*MODELS, "awd-txl")
DATA = {"ptb": "PTB", "wikitext-2": "WikiText-2"}
METRIC = "test_perplexity"
ALSO = ("validation_perplexity", "test_perplexity_tuned", "temperature", "epochs", "parameters")
STAGES = (1, 5, 10, 50, 100)
"""Epochs after which the authors' configuration is held against their log."""

WITHIN = 1.03
"""Of the log's perplexity, since it is one seed's."""


def language(experiment: AnyExperiment) -> Study:
    """Two models of one LSTM on both texts in minutes; then the paper's, epoch by epoch, as long as there is time."""
    notes = (
        "Perplexity of a word, <eos> among the words; lower is better. `small`: below 5M weights, a run of minutes."
        " awd-fwm and awd-lstm have the same LSTM, embedding and softmax, the same dropout, the same number of epochs"
        " and the same learning rate (Adam, falling along a cosine from .006); awd-fwm has a memory on its last layer"
        " besides. awd-txl, Transformer-XL with their regularisation, has three layers as wide as the embedding and a"
        " rate of .002. So these rows compare models after little training, not with the paper, whose models are ten"
        " times as large and read the text hundreds of times.",
        "`paper`: the authors' configuration, optimiser and regularisation. The rows by epoch are stages of one run,"
        " whose other figures and time are those of the whole of it as it stood; they are held against the validation"
        " perplexity in the authors' log after so many epochs (seed 141; reach: within 3 %, for it is one seed). The"
        " authors divide a row's summed cross-entropy by one word more than are predicted, so that their figures are"
        " too low by less than .1 %.",
        "The paper's test figures are the best of three seeds: 54.48 (PTB) and 61.65 (WikiText-2) for the FWM, whose"
        " means are 55.52 and 63.88; 57.3 and 65.8 for the AWD-LSTM; 56.50 and 63.11 for Transformer-XL with AWD"
        " regularisation. They are those of a softmax whose temperature the validation text has chosen, and so is"
        " the metric of the full runs, test_perplexity_tuned.",
    )
    title = "Schlag et al. 2021, section 4.3: word language models"
    cells = (*_small(), *_stages(), *_full())
    return Study(experiment, "fwm-language", title, cells, notes)


def _small() -> Iterator[Cell]:
    for data, title in DATA.items():
        for model in SMALL_MODELS:
            yield Cell(
                name=f"{model} {data} small",
                options=TextOptions(data=(data,), model=model),
                metric=METRIC,
                also=ALSO,
                mode=f"{title}, small",
            )


def _stages() -> Iterator[Cell]:
    paper = TextOptions(preset="paper")
    for epochs in STAGES:
        count = counted(epochs, "epoch")
        logged = LOG["ptb"][epochs]
        yield Cell(
            name=f"awd-fwm ptb paper, {count}",
            options=dataclasses.replace(paper, epochs=epochs),
            metric=f"validation_perplexity_{epochs}",
            also=ALSO,
            seeds=1,
            paper=logged,
            reach=Reach(round(WITHIN * logged, 1)),
            mode=f"PTB, paper, validation after {count}",
            stage_of="awd-fwm ptb paper",
        )


def _full() -> Iterator[Cell]:
    for data, title in DATA.items():
        for model in MODELS:
            yield Cell(
                name=f"{model} {data} paper",
                options=TextOptions(data=(data,), model=model, preset="paper"),
                metric="test_perplexity_tuned",
                also=(
                    "test_perplexity",
                    *(name for name in ALSO if name != "test_perplexity_tuned"),
                ),
                paper=TEST[model, data],
                mode=f"{title}, paper",
                stage_of=f"{model} {data} paper",
            )


def studies(experiment: AnyExperiment) -> tuple[Study, ...]:
    """Return all studies of the task."""
    return (language(experiment),)
