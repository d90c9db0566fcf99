"""Draw runs: pictures of one, or the comparison of several, of whatever task they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from fastweights.errors import UserError
from fastweights.experiments.loaded_run import TASKS, Opened, open_run, part, part_of, task_name


class Figure(NamedTuple):
    """A figure that can be drawn: its file's name, and what makes it."""

    name: str
    make: Callable[[], Any]


def draw(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    shown: str | None = None,
    gif: bool | None = False,
    form: str = "png",
    told: Callable[[str], None] = lambda name: None,
    **options: Any,
) -> list[Path]:
    """Draw one run's figures, or the comparison of several, and return the paths of the pictures.

    Args:
        folders: run folders, all of one task.
        out: where the pictures go; None: the run's own `figures` folder, or `figures` for a comparison.
        shown: the sequence, story or text to look inside with; None: one of the task's. Several runs have a use for it
            only where the task's `drawing` says so (`SEVERAL_READ`).
        gif: animate the memory too, of a single run that there is such a film of; None: if it is one.
        form: png, pdf or svg.
        told: called with each figure's name before it is drawn.
        options: of the task, such as where its data is.

    Raises:
        UserError: if a folder is no run or given twice, the runs are of several tasks, `shown` cannot be answered or
            has no use, or there is no film of what is to be drawn.
    """
    from fastweights import figures

    if not folders:
        raise UserError("plot needs at least one run folder")
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise UserError(f"{folder} is given twice: a run counts once")
    names = {task_name(folder) for folder in folders}
    if len(names) > 1:
        raise UserError(f"runs of {' and '.join(sorted(names))} cannot be compared in one figure")
    drawing = part(folders[0], "figures")
    if gif:
        _check_film(drawing, folders)
    opened = [_open(drawing, folder, options) for folder in folders]
    one = opened[0] if len(opened) == 1 else None
    lacking = _lacks_film(drawing, one)
    if gif and lacking:
        raise UserError(f"--gif: there is no film of {folders[0]}: {lacking}")
    target = out or (one.folder / "figures" if one else Path("figures"))
    paths = []
    for figure in drawing.single(one, shown) if one else _several(drawing, opened, shown):
        told(figure.name)
        paths.append(figures.save(figure.make(), target / f"{figure.name}.{form}"))
    if one and gif is not False and not lacking:
        told("animation")
        paths.append(drawing.animate(one, shown, target / "memory.gif"))
    return paths


def _lacks_film(drawing: ModuleType, run: Opened | None) -> str:
    """Say why there is no film of a run; nothing where there is one."""
    if run is None or not hasattr(drawing, "animate"):
        return "it is not of a single run of a task that has one"
    return drawing.lacks_film(run) if hasattr(drawing, "lacks_film") else ""


def _check_film(drawing: ModuleType, folders: Sequence[Path]) -> None:
    """Complain of a film that there is not.

    Raises:
        UserError: for several runs, or a task without one.
    """
    if len(folders) > 1:
        raise UserError("--gif is for a single run: leave it out to compare runs")
    if not hasattr(drawing, "animate"):
        having = [name for name in TASKS if hasattr(part_of(name, "figures"), "animate")]
        raise UserError(
            f"--gif: there is no film of runs of {task_name(folders[0])}, only of {', '.join(having)}"
        )


def _several(drawing: ModuleType, runs: list[Opened], shown: str | None) -> Iterator[Figure]:
    if shown is None:
        return drawing.several(runs)
    if not getattr(drawing, "SEVERAL_READ", False):
        raise UserError(
            f"--sequence is for a single run of {task_name(runs[0].folder)}: leave it out to compare runs"
        )
    return drawing.several(runs, shown)


def _open(drawing: ModuleType, folder: Path, options: dict[str, Any]) -> Opened:
    """Load a run, as its task's `drawing` does where it has a way of its own (`open_run`)."""
    run = getattr(drawing, "open_run", open_run)(folder, **options)
    if len(run.metrics) < 2:
        raise UserError(f"{folder} has not been evaluated often enough to draw: train it further")
    return run


def group(runs: Sequence[Opened]) -> dict[str, list[Opened]]:
    """Put the seeds of one recipe together; a name in the legend is the model and whatever else sets it apart."""
    alike: dict[str, list[Opened]] = {}
    for run in runs:
        recipe = {**run.config["recipe"], "seed": 0, "device": "", "backend": "", "data_dir": ""}
        # A field that an earlier version did not have says no more than one left at None.
        recipe = {key: value for key, value in recipe.items() if value is not None}
        alike.setdefault(json.dumps(recipe, sort_keys=True), []).append(run)
    recipes = [json.loads(key) for key in alike]
    named = {}
    for recipe, seeds in zip(recipes, alike.values(), strict=True):
        same = [other for other in recipes if other["model"] == recipe["model"]]
        keys = sorted(set().union(*same))
        apart = [key for key in keys if any(other.get(key) != recipe.get(key) for other in same)]
        words = [_in_words(key, recipe.get(key)) for key in apart]
        named[", ".join([recipe["model"], *words])] = seeds
    return named


def _in_words(option: str, value: Any) -> str:
    if option == "layer_norm":
        return "with LN" if value else "without LN"
    return f"{option.replace('_', ' ')} {value}"
