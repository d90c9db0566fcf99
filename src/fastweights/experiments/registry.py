"""The experiments: this list is all that a new one is registered in."""

from __future__ import annotations

from pathlib import Path

from fastweights.errors import check_choice
from fastweights.experiments.catbabi import CATBABI
from fastweights.experiments.catch import CATCH
from fastweights.experiments.experiment import AnyExperiment, ResultsTable
from fastweights.experiments.glimpses import GLIMPSES
from fastweights.experiments.loaded_run import open_checked
from fastweights.experiments.metro_map import METRO_MAP
from fastweights.experiments.retrieval import RETRIEVAL
from fastweights.experiments.sequences import EXPERIMENTS as SEQUENCES
from fastweights.experiments.text import TEXT

EXPERIMENTS: dict[str, AnyExperiment] = {
    experiment.name: experiment
    for experiment in (RETRIEVAL, CATBABI, GLIMPSES, CATCH, METRO_MAP, TEXT, *SEQUENCES)
}
"""By name."""


def get(name: str) -> AnyExperiment:
    """Return the experiment on a task.

    Raises:
        UserError: if there is none of that name; the message names the nearest.
    """
    check_choice("task", name, EXPERIMENTS)
    return EXPERIMENTS[name]


def of_run(folder: Path) -> AnyExperiment:
    """Return the experiment that a run is of, and by whose plan it was trained.

    Raises:
        UserError: if the folder is no run of an experiment, or its plan was changed.
    """
    run = open_checked(folder)
    experiment = get(run.config["task"]["name"])
    experiment.check_record(run)
    return experiment


def studies() -> dict[str, ResultsTable]:
    """Return all tables of results that `reproduce` makes, by name."""
    from fastweights.experiments import bindings, movement

    tables: list[ResultsTable] = [bindings.DEMONSTRATION, movement.DEMONSTRATION]
    for experiment in EXPERIMENTS.values():
        tables += experiment.work.studies(experiment)
    return {table.name: table for table in tables}


def study(name: str) -> ResultsTable:
    """Return a table of results by name.

    Raises:
        UserError: if there is none of that name; the message names the nearest.
    """
    known = studies()
    check_choice("study", name, known)
    return known[name]
