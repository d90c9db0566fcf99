"""Run a study's cells seed by seed, within a budget, in parallel if asked to; finished ones are skipped."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from fastweights.errors import UserError
from fastweights.experiments.cluster import pool, stopped
from fastweights.experiments.entry import diverged, entry_of
from fastweights.experiments.job_queue import Job, Queue, queue_of
from fastweights.experiments.ledger import Ledger
from fastweights.experiments.options import TimeOptions
from fastweights.experiments.plan import Record
from fastweights.experiments.study import Cell, Study


class Progress(NamedTuple):
    """How far a study is: what has just been finished, and what is left."""

    cell: str
    seed: int
    entry: Record | None
    done: int
    total: int


def reproduce(
    study: Study,
    *,
    results: Path,
    runs: Path,
    budget_minutes: float | None = None,
    seeds: int | None = None,
    only: str = "*",
    models: Sequence[str] = (),
    modes: Sequence[str] = (),
    minutes: float | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    show_progress: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Ledger:
    """Run what a study still lacks and return its ledger.

    Seeds come round by round: every cell has its first seed before any has its second, so a small budget gives a
    whole table. A run that the budget or Ctrl-C cuts short is resumed by the next call.

    Args:
        study: which.
        results: folder of the recorded rows.
        runs: folder of the runs themselves.
        budget_minutes: no longer than this (and the seconds a last test takes); None: until all is done.
        seeds: seeds for every cell instead of the cell's own number.
        only: run only cells whose name matches this; `*` stands for anything.
        models: run only cells of these models; empty: of all.
        modes: run only cells of these modes, for options that have any; empty: of all.
        minutes: training time of each run, for runs that end at a time; runs of less time go on.
        jobs: processes side by side, one thread each; of a cluster by SLURM, workers to ask for.
        cluster: the address of a Dask scheduler whose workers train instead, or "slurm"; None: processes here.
        show_progress: show each run's bar on the terminal, unless there are several side by side.
        on_progress: called after each seed.

    A run that diverges is recorded as such. What another call on the same folder of results is at is left to that.

    Raises:
        UserError: if nothing matches `only`, a number is out of range, what is to be measured needs data that is not
            at hand, or a run fails otherwise.
    """
    if budget_minutes is not None and not budget_minutes > 0:
        raise UserError(f"the budget must be more than 0 minutes, not {budget_minutes}")
    if jobs < 1 or (seeds is not None and seeds < 1):
        raise UserError("jobs and seeds must be at least 1")
    if minutes is not None:
        study = _timed(study, minutes)
    cells = chosen_cells(study, only, models, modes)
    ledger = Ledger(results, study)
    deadline = math.inf if budget_minutes is None else time.time() + 60 * budget_minutes
    show_progress = show_progress and jobs == 1 and cluster is None
    folder = runs.absolute() / study.name  # workers are elsewhere
    todo = list(_todo(study, cells, ledger, folder, seeds, deadline, show_progress))
    for cell in {job.cell.name: job.cell for job in todo}.values():
        study.check(cell)
    with queue_of(todo, ledger) as queue:
        for place, (job, entry) in enumerate(_run_all(queue, jobs, cluster), start=1):
            if entry is not None:
                backend = entry.pop("backend")
                ledger.add(job.cell, job.seed, entry, backend)
            queue.end(job)
            on_progress(Progress(job.cell.name, job.seed, entry, place, len(todo)))
    return ledger


def run_again(study: Study, cell: Cell, seed: int, folder: Path) -> float | None:
    """Run a seed of a cell in a folder of its own and return its value; None if it diverges."""
    study.check(cell)
    entry = _run(Job(study.experiment, cell, seed, folder / "run", math.inf, show_progress=True))
    assert entry is not None, "there is no budget"
    return entry["value"]


def chosen_cells(
    study: Study, only: str = "*", models: Sequence[str] = (), modes: Sequence[str] = ()
) -> list[Cell]:
    """Return the cells of a study that a user chooses.

    Raises:
        UserError: if there is none.
    """
    cells = [cell for cell in study.cells if _chosen(study, cell, only, models, modes)]
    if not cells:
        # Quoted: commas stand within names too.
        names = ", ".join(f'"{cell.name}"' for cell in study.cells)
        raise UserError(f"no cell of {study.name} is chosen; there are: {names}")
    return cells


def _timed(study: Study, minutes: float) -> Study:
    """Return a study with another time for every run."""
    cells = []
    for cell in study.cells:
        options = cell.options
        if not isinstance(options, TimeOptions) or not options.minutes:
            raise UserError(f"the runs of {study.name} end at a step, not at a time")
        timed = dataclasses.replace(options, minutes=minutes)
        cells.append(dataclasses.replace(cell, options=timed))
    return dataclasses.replace(study, cells=tuple(cells))


def _chosen(
    study: Study, cell: Cell, only: str, models: Sequence[str], modes: Sequence[str]
) -> bool:
    from fastweights.models import describe

    names = {describe(model).name for model in models}
    return (
        fnmatchcase(cell.name, only)
        and (not names or study.plan(cell).model in names)
        and (not modes or getattr(cell.options, "mode", None) in modes)
    )


def _todo(
    study: Study,
    cells: Sequence[Cell],
    ledger: Ledger,
    runs: Path,
    seeds: int | None,
    deadline: float,
    show_progress: bool,
) -> Iterator[Job]:
    wanted = {cell.name: seeds or cell.seeds for cell in cells}
    done = {cell.name: ledger.done(cell) for cell in cells}
    for seed in range(max(wanted.values(), default=0)):
        for cell in cells:
            if seed < wanted[cell.name] and seed not in done[cell.name]:
                _check_time(cell, done[cell.name].values())
                folder = runs / study.folder_name(cell) / f"seed-{seed}"
                yield Job(study.experiment, cell, seed, folder, deadline, show_progress)


def _check_time(cell: Cell, recorded: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a further run of less time than its row's: one figure would stand for both."""
    minutes = cell.options.minutes if isinstance(cell.options, TimeOptions) else None
    longest = max((entry.get("limit_seconds") or 0 for entry in recorded), default=0) / 60
    if minutes is not None and longest > minutes:
        raise UserError(
            f"the row {cell.name!r} is of runs of {longest:g} minutes, this one would be of {minutes:g}: say"
            f" --minutes {longest:g}, or record it elsewhere with --results"
        )


def _run_all(queue: Queue, jobs: int, cluster: str | None) -> Iterator[tuple[Job, Record | None]]:
    """Yield each job with its entry (None: cut short by the budget), in the order they finish."""
    with pool(jobs, _run, cluster) as workers:
        running: dict[Future[Record | None], Job] = {}
        while True:
            while len(running) < workers.width() and (job := queue.next()) is not None:
                running[workers.submit(job)] = job
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def _run(job: Job) -> Record | None:
    from fastweights.experiments.runner import train
    from fastweights.training import Diverged

    if time.time() >= job.deadline:
        return None
    experiment, options = job.experiment, job.cell.with_seed(job.seed)
    try:
        trained = train(
            experiment,
            options,
            job.folder,
            resume=True,
            progress=job.show_progress,
            stop=lambda: time.time() >= job.deadline or stopped(),
        )
    except Diverged as trouble:
        return diverged(experiment.plan(options), job.folder, trouble.step) | context()
    if trained.interrupted:
        if time.time() < job.deadline and not stopped():
            raise KeyboardInterrupt  # Ctrl-C or SIGTERM is meant for the whole study
        return None
    tested = trained.result
    if job.cell.tested_on is not None:
        fields = {field.name for field in dataclasses.fields(experiment.test_options)}
        seed = {"seed": job.seed} if "seed" in fields else {}
        tested = experiment.work.test(
            job.folder, experiment.test_options(**seed, **job.cell.tested_on)
        )
    return entry_of(job.cell, job.folder, trained.result, tested) | context()


def context() -> Record:
    """Return where and from which commit a figure comes."""
    from fastweights.runs import environment

    machine = environment.machine()
    return {
        "machine": f"{machine['processor']} ({machine['vectors']}), {machine['cores']} cores",
        "commit": environment.commit(),
    }
