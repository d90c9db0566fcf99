"""A run as one HTML file: the built page with the run's weights in it, which a browser computes with."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.experiment import PageContents
from fastweights.experiments.plan import Record
from fastweights.io.atomic import no_folders_left, oserror_as_user_error, write_atomically
from fastweights.io.encode import to_json

if TYPE_CHECKING:
    from torch import Tensor

Precision = Literal["float32", "float16", "int8"]

LARGE = 100_000
"""Weights above which they are written in half precision: a page of 683,745 has 1.9 MB then, not 3.7."""

SLOT = '<script type="application/json" id="run">null</script>'
"""Where the template holds no run."""


def write_run(
    folder: Path, out: Path, precision: Precision | None = None, *, overwrite: bool = False
) -> Record:
    """Write the page of a run.

    Args:
        folder: a run of a task and a model that a page can show.
        out: a file.
        precision: of the weights; None: float16 where it holds each as it is, as those that come with the library, and
            above `LARGE` of them; float32 otherwise.
        overwrite: replace the file if it exists.

    Returns:
        `page`, the path of the file, its `bytes`, and the `precision` of its weights.

    Raises:
        UserError: if the run cannot be shown, its weights are not finite, or the file exists or cannot be written;
            nothing is on disk then.
    """
    _check_new(out, overwrite)
    contents = _contents(folder)
    precision = precision or _fitting(contents.weights)
    return {**_write(filled(contents, precision), out), "precision": precision}


def write_memory(out: Path, *, overwrite: bool = False) -> Record:
    """Write the page of a memory written by hand, which needs no run.

    Args, returns, raises:
        as `write_run` does.
    """
    _check_new(out, overwrite)
    record = {"page": "memory", "title": "A memory by hand", "facts": []}
    return {**_write(filled(PageContents(record, {}), "float32"), out), "precision": None}


def filled(contents: PageContents, precision: Precision) -> str:
    """Return the text of a page that shows something.

    Raises:
        UserError: if weights are not finite in that precision, or the template is damaged.
    """
    template = resources.files("fastweights").joinpath("page/template.html").read_text("utf-8")
    if template.count(SLOT) != 1:
        raise UserError("the template of the page is damaged: install fastweights anew")
    record = contents.record
    if contents.weights:
        record = {**record, "weights": _packed(contents.weights, precision)}
    # No word of a vocabulary can end the element.
    text = to_json(record).decode().strip().replace("<", "\\u003c")
    return template.replace(SLOT, SLOT.replace("null", text))


def _contents(folder: Path) -> PageContents:
    """Return what the page of a run holds.

    Raises:
        UserError: saying which runs can be shown, if this one cannot.
    """
    from fastweights.runs import Run
    from fastweights.runs.load import model_of

    experiment, model = registry.of_run(folder), model_of(Run.open(folder))["name"]
    if experiment.page is not None and model in experiment.page.models:
        return experiment.page.contents(folder)
    pages = {each.name: each.page for each in registry.EXPERIMENTS.values() if each.page}
    shown = "; ".join(f"{name}: {', '.join(page.models)}" for name, page in pages.items())
    raise UserError(
        f"{folder} is a run of {experiment.name} with the model {model}, which no page shows; "
        f"those that can be shown: {shown}"
    )


def _fitting(weights: Mapping[str, Tensor]) -> Precision:
    """Return the precision that weights are written in where none was asked for."""
    large = sum(each.numel() for each in weights.values()) > LARGE
    exact = all(each.float().equal(each.half().float()) for each in weights.values())
    return "float16" if large or exact else "float32"


def _packed(weights: Mapping[str, Tensor], precision: Precision) -> str:
    """Return weights as a safetensors file in base64.

    In int8 a matrix has a scale for each row beside it, `NAME.scale`, and vectors are in half precision.

    Raises:
        UserError: naming weights that are not finite.
    """
    import torch
    from safetensors.torch import save

    packed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        whole = tensor.detach().float()
        if precision == "int8" and whole.dim() == 2:
            scale = whole.abs().amax(1, keepdim=True).clamp(min=1e-30) / 127
            stored, numbers = torch.round(whole / scale), scale.squeeze(1)
            packed |= {name: stored.to(torch.int8), f"{name}.scale": numbers.contiguous()}
        else:
            numbers = whole if precision == "float32" else whole.half()
            packed[name] = numbers.clone(memory_format=torch.contiguous_format)
        if not numbers.isfinite().all():
            raise UserError(f"weights are not finite in {precision}: {name}")
    return base64.b64encode(save(packed)).decode()


def _check_new(out: Path, overwrite: bool) -> None:
    with oserror_as_user_error("write", out):
        if os.path.lexists(out) and not overwrite:
            raise UserError(f"{out} exists already: name another with --out, or add --overwrite")


def _write(text: str, out: Path) -> Record:
    content = text.encode()
    with oserror_as_user_error("write", out), no_folders_left(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    return {"page": str(out), "bytes": len(content)}
