"""Export a run: its weights and records, the tokenizer of a text, and a model card of the figures that it recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.plan import Record
from fastweights.experiments.records import result_of
from fastweights.experiments.terminal import TextTable
from fastweights.runs import Run
from fastweights.runs.export import export as write
from fastweights.runs.load import model_of


def export(folder: Path, out: Path, dtype: str | None = None) -> Record:
    """Write a run's weights, configuration, records, tokenizer and model card into a new folder.

    Args:
        folder: a run folder.
        out: the folder to make.
        dtype: that the weights are stored in; None: as they were trained.

    Returns:
        `out`, the `run`, its `task` and `model`, `bytes` (of the file of weights), `dtype` and
        the training `step`.

    Raises:
        UserError: if `folder` is no run of a task, `out` exists, or a weight is not a finite number.
    """
    experiment = registry.of_run(folder)
    run = Run.open(folder)
    further = {"README.md": card(experiment, run, out.name, dtype).encode(), **_tokenizer(run)}
    about = write(run, out, further, dtype)
    model = model_of(run)["name"]
    size = (out / "model.safetensors").stat().st_size
    return {
        "out": str(out),
        "run": str(folder),
        "task": experiment.name,
        "model": model,
        "bytes": size,
        "dtype": about["dtype"],
        "step": about["step"],
    }


def card(experiment: AnyExperiment, run: Run, name: str, dtype: str | None = None) -> str:
    """Return the model card: what was trained, how it is loaded, and the figures that its run recorded."""
    model = model_of(run)["name"]
    tags = dict.fromkeys(("fast-weights", model, experiment.name))
    head = ("---", "library_name: fastweights", "tags:", *(f"- {tag}" for tag in tags), "---")
    asked = experiment.questions
    ask = f' "{asked.example}"' if asked is not None and asked.stdin is not None else ""
    lines = [
        *(*head, "", f"# {name}", ""),
        f"`{model}`, trained by `fastweights train {experiment.name}`: {experiment.summary}",
        "",
        "```python",
        "import fastweights",
        "",
        f'model = fastweights.load("{name}")    # this folder, or its name on the hub',
        "```",
        "",
        "```",
        f"fastweights test {name}{ask}",
        "```",
        "",
        *_figures(experiment, result_of(run)),
        *_stored(dtype),
        "## How it was trained",
        "",
        *_options(run.config),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _figures(experiment: AnyExperiment, result: Record | None) -> Iterator[str]:
    """Yield what a terminal shows of the result, as Markdown."""
    yield from ("## Figures", "")
    if result is None:
        yield from ("The run recorded no result.", "")
        return
    for table in experiment.work.report(result, []):
        if not isinstance(table, TextTable):
            continue
        names = [name or " " for name in table.columns]
        yield from (f"{table.title}:", "")
        yield from (_row(names), _row(["---"] * len(names)))
        yield from map(_row, table.rows)
        yield from ("", *((table.note, "") if table.note else ()))


def _stored(dtype: str | None) -> Iterator[str]:
    """Yield what the figures are not of, where weights are stored in another type than they were trained in."""
    if dtype is not None:
        yield f"These are the run's own figures. The weights are stored in {dtype} and loaded as they were trained."
        yield ""


def _options(config: Record) -> Iterator[str]:
    """Yield the options of the training that were not left open, and what it ran on."""
    chosen = {name: value for name, value in config["plan"].items() if value not in (None, [], {})}
    yield (
        ", ".join(f"`{name}` {value}" for name, value in chosen.items() if name != "data_dir") + "."
    )
    versions = config.get("versions") or {}
    yield from ("", ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")


def _row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _tokenizer(run: Run) -> dict[str, bytes]:
    """Return the files of what turns a text into tokens, where the task has it.

    Raises:
        UserError: if they are those of a text and `transformers`, which writes them, is not installed.
    """
    task = run.config["task"]
    if "tokenizer" not in task:
        words = task.get("vocabulary")
        return {} if words is None else {"vocab.txt": ("\n".join(words) + "\n").encode()}
    try:
        from fastweights.hf import pretrained_tokenizer
    except ImportError as error:
        raise UserError(f"the tokenizer of a text is written by transformers: {error}") from None
    with tempfile.TemporaryDirectory() as place:
        pretrained_tokenizer(task["tokenizer"]).save_pretrained(place)
        return {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}
