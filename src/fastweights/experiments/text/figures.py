"""Pictures of language models: curves by epoch, a passage word by word, and what two models make of the same one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from fastweights.errors import UserError
from fastweights.experiments import loaded_run as opened
from fastweights.experiments.loaded_run import Opened
from fastweights.experiments.plotting import Figure, group
from fastweights.experiments.text import passage as passages
from fastweights.experiments.text.defaults import name_of, unit
from fastweights.experiments.text.paper import LOG
from fastweights.experiments.text.passage import Passage
from fastweights.experiments.text.predict import read, tokenizer_of
from fastweights.experiments.text.progress import epochs_of
from fastweights.experiments.text.study import DATA
from fastweights.runs import load
from fastweights.tasks.text_tokenizer import Tokenizer
from fastweights.training.sources.segment_lengths import segment_lengths

SEVERAL_READ = True
"""`several` takes a passage too."""

LONGEST = 400
"""Tokens of a passage that a picture has room for."""

_log = logging.getLogger("fastweights.experiments")


def open_run(folder: Path, **options: Any) -> Opened:
    """Load a run with its text, or without it (`task` None) where that is not to be found.

    Args:
        folder: a run of the task text.
        options: where the data is. What is said must hold.

    Raises:
        UserError: if the folder is no such run, has no checkpoint, or the data is not as the options say.
    """
    try:
        return opened.open_run(folder, **options)
    except UserError as missing:
        if options:
            raise
        run = opened.checked(folder)
        without = Opened(folder, load(folder), None, run.config, run.metrics(), run.result())
        _log.warning('%s; no passage is drawn without --sequence "…"', missing)
        return without


def single(run: Opened, shown: str | None) -> Iterator[Figure]:
    """Draw one run; `shown` is a text to look inside with (None: a passage of the test text, where that is there)."""
    from fastweights import figures

    name = run.config["model"]["name"]
    title = f"{name}, {_text(run)}"
    chosen = _chosen([run], shown)
    yield Figure(
        "training",
        lambda: figures.perplexity_curves(
            {name: [_by_epoch(run)]},
            averaged={name: _averaged(run)},
            published={name: _logged(run)},
            title=title,
        ),
    )
    if chosen is not None:
        where = "" if shown else ", test text"
        yield Figure("passage", lambda: _passage(run, chosen, f"{title}{where}"))


def several(runs: list[Opened], shown: str | None = None) -> Iterator[Figure]:
    """Compare runs on one text; two models word by word too, on `shown` or a passage of the test text.

    Seeds of a model are averaged, in the surprise at a word as in the curves.

    Raises:
        UserError: if the runs are of different texts or vocabularies, or there is a text to be read but not two models.
    """
    from fastweights import figures

    if len({run.config["task"]["fingerprint"] for run in runs}) > 1:
        raise UserError(
            "runs on different texts, or with other vocabularies, cannot be compared in one figure"
        )
    groups = group(runs)
    if shown is not None and len(groups) != 2:
        raise UserError(f"a text is read by two models in one figure, not by {len(groups)}")
    chosen = _chosen(runs, shown) if len(groups) == 2 else None
    title = _text(runs[0])
    yield Figure(
        "comparison",
        lambda: figures.perplexity_curves(
            {name: [_by_epoch(run) for run in seeds] for name, seeds in groups.items()},
            averaged={name: _averaged(*seeds) for name, seeds in groups.items()},
            published={name: _logged(seeds[0]) for name, seeds in groups.items()},
            title=title,
        ),
    )
    if chosen is not None:
        where = "" if shown else ", test text"
        yield Figure("surprise", lambda: _surprise(groups, chosen, f"{title}{where}"))


def _chosen(runs: list[Opened], shown: str | None) -> Passage | None:
    """The passage to read: the text that is given, or one of the test text; None where that is not there."""
    tokenizer = _tokenizer(runs[0])
    if shown is not None:
        tokens = read(tokenizer, shown).tokens
        if len(tokens) > LONGEST:
            raise UserError(
                f"a picture has room for {LONGEST - 1} {_unit(runs[0])}s, not {len(tokens) - 1}"
            )
        return Passage(tokens, 0)
    task = next((run.task for run in runs if run.task is not None), None)
    if task is None:
        return None
    counts = torch.bincount(task.split("train"), minlength=task.classes)
    return passages.most_recurring(task.split("test"), counts, tokenizer)


def _passage(run: Opened, chosen: Passage, title: str) -> Any:
    """Draw a passage, with the reads that told the word which shows most of a memory."""
    from fastweights import figures

    tokenizer = _tokenizer(run)
    words, told = passages.spelled(chosen, tokenizer), passages.told(run.model, chosen)
    place, weights = None, None
    if told.read_weights is not None and len(words) > 1:
        found = passages.remembered(chosen.tokens[chosen.start :], told.bits, tokenizer)
        place = found[1] if found else len(words) - 1
        weights = told.read_weights[place, :, :place]
        title += f": what the reads for “{words[place]}” took"
    return figures.passage(
        told.bits.tolist(),
        words,
        read_weights=weights,
        chosen=place,
        unit=_unit(run),
        title=title,
    )


def _surprise(groups: dict[str, list[Opened]], chosen: Passage, title: str) -> Any:
    from fastweights import figures

    bits = {}
    for name, seeds in groups.items():
        told = [passages.told(run.model, chosen).bits for run in seeds]
        mean = torch.stack(told).mean(0).tolist()
        bits[name if len(seeds) == 1 else f"{name}, {len(seeds)} seeds"] = mean
    run = next(iter(groups.values()))[0]
    words = passages.spelled(chosen, _tokenizer(run))
    return figures.surprise(bits, words, unit=_unit(run), title=title)


def _by_epoch(run: Opened) -> list[dict[str, Any]]:
    """A run's metrics with the epochs that their steps are, which follow from what the run records."""
    recipe, last = run.config["recipe"], run.metrics[-1]["step"]
    steps = run.config["task"]["counts"]["train"] // recipe["batch"] - 1
    ends: list[int] = []
    while not ends or ends[-1] < last:
        cut = segment_lengths(steps, recipe["length"], seed=recipe["seed"], epoch=len(ends))
        ends.append(len(cut) + (ends[-1] if ends else 0))
    return [{**row, "epoch": epochs_of(row["step"], tuple(ends))} for row in run.metrics]


def _averaged(*runs: Opened) -> list[float]:
    """The epochs at which runs went over to averaged SGD: behind the last evaluation under another rate than its."""
    found = []
    for run in runs:
        rate, rows = run.config["recipe"]["averaging_rate"], _by_epoch(run)
        before = [row["epoch"] for row in rows if row["learning_rate"] != rate]
        if len(before) < len(rows):
            found.append(before[-1] if before else 0.0)
    return found


def _logged(run: Opened) -> dict[int, float]:
    """What the authors' log says of the epochs of this very configuration."""
    recipe = run.config["recipe"]
    same = recipe["preset"] == "paper" and run.config["model"]["name"] == "awd-fwm"
    return LOG.get(recipe["data"][0], {}) if same else {}


def _text(run: Opened) -> str:
    name = name_of(tuple(run.config["recipe"]["data"]))
    return DATA.get(name, name)


def _unit(run: Opened) -> str:
    return unit(run.config["recipe"]["tokenizer"])


def _tokenizer(run: Opened) -> Tokenizer:
    return tokenizer_of(run.folder, run.config)
