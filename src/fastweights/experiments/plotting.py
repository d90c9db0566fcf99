"""Draw runs: pictures of one, or the comparison of several, of whatever task they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.experiment import Animation, AnyExperiment, Figure
from fastweights.experiments.loaded_run import LoadedRun


def draw(
    folders: Sequence[Path],
    *,
    out: Path | None = None,
    sequence: str | None = None,
    gif: bool | None = False,
    format: Literal["png", "pdf", "svg"] = "png",
    on_progress: Callable[[str], None] = lambda name: None,
    data_dir: Path | None = None,
) -> list[Path]:
    """Draw one run's figures, or the comparison of several, and return the paths of the pictures.

    Args:
        folders: run folders, all of one task.
        out: where the pictures go; None: the run's own `figures` folder, or `figures` for a comparison.
        sequence: the sequence, story or text to look inside with; None: one of the task's. Several runs have a use for
            it only where the experiment has a `compare_on`.
        gif: animate the memory too, of a single run that has an animation; None: if it has one.
        format: of the figures.
        on_progress: called with each figure's name before it is drawn.
        data_dir: where the task's data is; None: where it was in training.

    Raises:
        UserError: if a folder is no run or given twice, the runs are of several tasks, the sequence cannot be read or
            has no use, or there is no animation of what is to be drawn.
    """
    from fastweights.runs import Run

    if not folders:
        raise UserError("plot needs at least one run folder")
    found = {experiment.name: experiment for experiment in map(registry.of_run, folders)}
    for folder in folders:
        if sum(folder.samefile(other) for other in folders) > 1:
            raise UserError(f"{folder} is given twice: a run counts once")
    if len(found) > 1:
        raise UserError(f"runs of {' and '.join(sorted(found))} cannot be compared in one figure")
    if gif and len(folders) > 1:
        raise UserError("--gif is for a single run: leave it out to compare runs")
    (experiment,) = found.values()
    runs = [_open(experiment, folder, data_dir) for folder in folders]
    if len(runs) > 1:
        return [
            _save(figure, out or Path("figures"), format, on_progress)
            for figure in _compared(experiment, runs, sequence)
        ]
    (run,) = runs
    target = out or Run.open(run.folder).figures
    animation = _animation(experiment, run, sequence) if gif is not False else None
    if gif and animation and animation.draw is None:
        raise UserError(f"--gif: there is no animation of {run.folder}: {animation.reason}")
    paths = [
        _save(figure, target, format, on_progress)
        for figure in experiment.pictures.draw(run, sequence)
    ]
    if animation and animation.draw is not None:
        on_progress("animation")
        paths.append(animation.draw(target / "memory.gif"))
    return paths


def _save(figure: Figure, folder: Path, format: str, on_progress: Callable[[str], None]) -> Path:
    from fastweights import figures

    on_progress(figure.name)
    return figures.save(figure.make(), folder / f"{figure.name}.{format}")


def _compared(
    experiment: AnyExperiment, runs: list[LoadedRun[Any]], sequence: str | None
) -> Iterator[Figure]:
    pictures = experiment.pictures
    if sequence is None:
        return pictures.compare(runs)
    if pictures.compare_on is None:
        raise UserError(
            f"--sequence is for a single run of {experiment.name}: leave it out to compare runs"
        )
    return pictures.compare_on(runs, sequence)


def _animation(experiment: AnyExperiment, run: LoadedRun[Any], sequence: str | None) -> Animation:
    animate = experiment.pictures.animate
    if animate is not None:
        return animate(run, sequence)
    having = [other.name for other in registry.EXPERIMENTS.values() if other.animated]
    return Animation(None, f"runs of {experiment.name} have none, only of {', '.join(having)}")


def _open(experiment: AnyExperiment, folder: Path, data_dir: Path | None) -> LoadedRun[Any]:
    run = experiment.pictures.open(folder, data_dir)
    if len(run.metrics) < 2:
        raise UserError(f"{folder} has not been evaluated often enough to draw: train it further")
    return run
