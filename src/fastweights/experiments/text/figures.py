"""Pictures of language models: curves by epoch, a passage word by word, and what two models make of the same one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fastweights import figures
from fastweights.errors import UserError
from fastweights.experiments.experiment import Figure
from fastweights.experiments.grouping import group
from fastweights.experiments.loaded_run import LoadedRun, loaded, open_checked, open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.text import passage as passages
from fastweights.experiments.text.options import text_name, unit
from fastweights.experiments.text.paper import LOG
from fastweights.experiments.text.passage import Passage
from fastweights.experiments.text.predict import encode, tokenizer_of
from fastweights.experiments.text.progress import epochs_of
from fastweights.experiments.text.study import DATA
from fastweights.tasks import Text
from fastweights.tasks.text_tokenizer import Tokenizer
from fastweights.training.sources.segment_lengths import segment_lengths

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Run = LoadedRun[Text | None]

LONGEST = 400
"""Tokens of a passage that a picture has room for."""

_log = logging.getLogger("fastweights.experiments")


def open_to_draw(folder: Path, data_dir: Path | None = None) -> Run:
    """Load a run with its text, or without it (`task` None) where that is not to be found.

    Raises:
        UserError: as `open_run`, and if the data is not in the folder given.
    """
    try:
        return open_run(folder, data_dir)
    except UserError as missing:
        if data_dir is not None:
            raise
        _log.warning('%s; no passage is drawn without --sequence "…"', missing)
        return loaded(open_checked(folder), None)


def draw(run: Run, sequence: str | None) -> Iterator[Figure]:
    """Draw one run; the sequence is a text to look inside with (None: a passage of the test text, if that is there)."""
    name = run.name
    title = f"{name}, {_text(run)}"
    chosen = _chosen([run], sequence)
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
        where = "" if sequence else ", test text"
        yield Figure("passage", lambda: _passage(run, chosen, f"{title}{where}"))


def compare(loaded: list[Run], sequence: str | None = None) -> Iterator[Figure]:
    """Compare runs on one text; two models word by word too, on a sequence or a passage of the test text.

    Seeds of a model are averaged, in the surprise at a word as in the curves.

    Raises:
        UserError: if the runs are of different texts or vocabularies, or there is a text to be read but not two models.
    """
    if len({run.config["task"]["fingerprint"] for run in loaded}) > 1:
        raise UserError(
            "runs on different texts, or with other vocabularies, cannot be compared in one figure"
        )
    groups = group(loaded)
    if sequence is not None and len(groups) != 2:
        raise UserError(f"a text is read by two models in one figure, not by {len(groups)}")
    chosen = _chosen(loaded, sequence) if len(groups) == 2 else None
    title = _text(loaded[0])
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
        where = "" if sequence else ", test text"
        yield Figure("surprise", lambda: _surprise(groups, chosen, f"{title}{where}"))


def _chosen(loaded: list[Run], sequence: str | None) -> Passage | None:
    """The passage to read: the text that is given, or one of the test text; None where that is not there."""
    tokenizer = _tokenizer(loaded[0])
    if sequence is not None:
        tokens = encode(tokenizer, sequence).tokens
        if len(tokens) > LONGEST:
            raise UserError(
                f"a picture has room for {LONGEST - 1} {_unit(loaded[0])}s, not {len(tokens) - 1}"
            )
        return Passage(tokens, 0)
    task = next((run.task for run in loaded if run.task is not None), None)
    if task is None:
        return None
    counts = torch.bincount(task.split("train"), minlength=task.classes)
    return passages.most_recurring(task.split("test"), counts, tokenizer)


def _passage(run: Run, chosen: Passage, title: str) -> Drawing:
    """Draw a passage, with the reads for the word that shows most of a memory."""
    tokenizer = _tokenizer(run)
    words, reading = passages.spelled(chosen, tokenizer), passages.read(run.model, chosen)
    place, weights = None, None
    if reading.read_weights is not None and len(words) > 1:
        found = passages.remembered(chosen.tokens[chosen.start :], reading.bits, tokenizer)
        place = found[1] if found else len(words) - 1
        weights = reading.read_weights[place, :, :place]
        title += f": what the reads for “{words[place]}” took"
    return figures.passage(
        reading.bits.tolist(),
        words,
        read_weights=weights,
        chosen=place,
        unit=_unit(run),
        title=title,
    )


def _surprise(groups: dict[str, list[Run]], chosen: Passage, title: str) -> Drawing:
    bits = {}
    for name, seeds in groups.items():
        readings = [passages.read(run.model, chosen).bits for run in seeds]
        mean = torch.stack(readings).mean(0).tolist()
        bits[name if len(seeds) == 1 else f"{name}, {len(seeds)} seeds"] = mean
    run = next(iter(groups.values()))[0]
    words = passages.spelled(chosen, _tokenizer(run))
    return figures.surprise(bits, words, unit=_unit(run), title=title)


def _by_epoch(run: Run) -> list[Record]:
    """A run's metrics with the epochs that their steps are, which follow from what the run records."""
    plan, last = run.plan, run.metrics[-1]["step"]
    steps = run.config["task"]["counts"]["train"] // plan["batch"] - 1
    ends: list[int] = []
    while not ends or ends[-1] < last:
        cut = segment_lengths(steps, plan["length"], seed=plan["seed"], epoch=len(ends))
        ends.append(len(cut) + (ends[-1] if ends else 0))
    return [{**row, "epoch": epochs_of(row["step"], tuple(ends))} for row in run.metrics]


def _averaged(*seeds: Run) -> list[float]:
    """The epochs at which runs went over to averaged SGD: behind the last evaluation under another rate than its."""
    found = []
    for run in seeds:
        rate, rows = run.plan["averaging_rate"], _by_epoch(run)
        before = [row["epoch"] for row in rows if row["learning_rate"] != rate]
        if len(before) < len(rows):
            found.append(before[-1] if before else 0.0)
    return found


def _logged(run: Run) -> dict[int, float]:
    """Return what the authors' log says of the epochs of this very configuration."""
    plan = run.plan
    same = plan["preset"] == "paper" and run.name == "awd-fwm"
    return LOG.get(plan["data"][0], {}) if same else {}


def _text(run: Run) -> str:
    name = text_name(tuple(run.plan["data"]))
    return DATA.get(name, name)


def _unit(run: Run) -> str:
    return unit(run.plan["tokenizer"])


def _tokenizer(run: Run) -> Tokenizer:
    return tokenizer_of(run.folder, run.config)
