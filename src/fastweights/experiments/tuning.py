"""A search for settings: Optuna proposes them, runs evaluate them, and each is recorded, so that a search can resume.

Every trial is a run like any other and a row of `results/NAME/cells.jsonl`, with its curve. A search is rebuilt from
these rows; with one process at a time it is repeatable to the bit, however often it is stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastweights.errors import UserError, check_at_least
from fastweights.experiments import search_space
from fastweights.experiments.cluster import pool
from fastweights.experiments.ledger import Ledger
from fastweights.experiments.plan import Record
from fastweights.experiments.search import Search, Trial, curve_of, load_optuna, rank, trial_of
from fastweights.experiments.search_space import Values
from fastweights.experiments.study import Cell
from fastweights.experiments.trial import TrialRun, run_trial
from fastweights.io.atomic import no_folders_left, oserror_as_user_error, write_atomically
from fastweights.io.encode import to_json
from fastweights.io.plain import read_plain

if TYPE_CHECKING:
    import optuna

ASKED = "asked.json"
"""The file of the trials that were begun."""


def tune(
    search: Search,
    *,
    results: Path,
    runs: Path,
    jobs: int = 1,
    cluster: str | None = None,
    budget_minutes: float | None = None,
    storage: str | None = None,
    show_progress: bool = False,
    on_trial: Callable[[Trial, int], None] = lambda trial, done: None,
) -> list[Trial]:
    """Run the trials that a search still lacks, and return all of them, the best first.

    Args:
        search: which.
        results: folder of the recorded rows.
        runs: folder of the runs themselves.
        jobs: processes side by side, one thread each; of a cluster by SLURM, workers to ask for.
        cluster: the address of a Dask scheduler whose workers train instead, or "slurm"; None: processes here.
        budget_minutes: no longer than this; None: until all are done.
        storage: an address of Optuna's, such as sqlite:///trials.db, where its own tools may follow.
        show_progress: show each run's bar on the terminal, unless there are several side by side.
        on_trial: called after each trial, with how many are done.

    Raises:
        UserError: if the search cannot be run, a number is out of range, or another process works on it.
    """
    search.check()
    check_at_least(1, jobs=jobs)
    if budget_minutes is not None and not budget_minutes > 0:
        raise UserError(f"the budget must be more than 0 minutes, not {budget_minutes}")
    deadline = math.inf if budget_minutes is None else time.time() + 60 * budget_minutes
    ledger = Ledger(results, search.study)
    alone = show_progress and jobs == 1 and cluster is None
    with _only_driver(ledger):
        driver = _Driver(search, ledger, runs.absolute() / search.name, deadline, storage)
        with pool(jobs, run_trial, cluster) as workers:
            running: dict[Future[Record | None], tuple[_Asked, optuna.Trial]] = {}
            for asked, trial in driver.ask():
                run = driver.run_of(asked)._replace(progress=alone)
                running[workers.submit(run)] = asked, trial
                while len(running) >= workers.width():
                    _tell(driver, running, on_trial)
            while running:
                _tell(driver, running, on_trial)
    return sorted(driver.recorded(), key=lambda trial: rank(search, trial))


@contextmanager
def _only_driver(ledger: Ledger) -> Iterator[None]:
    """Hold the folder of a search; one that is refused before any trial is recorded leaves nothing there."""
    from fastweights.runs import Lock

    held = ledger.path.with_name(".search")
    with no_folders_left(ledger.path):
        with oserror_as_user_error("make", held.parent):
            held.parent.mkdir(parents=True, exist_ok=True)
        with Lock(held):
            try:
                yield
            except UserError:
                if not ledger.path.exists():
                    for rest in (ledger.path.with_name(ASKED), held):
                        with suppress(OSError):
                            rest.unlink()
                raise


class _Asked(NamedTuple):
    """A trial as it was proposed."""

    number: int
    values: Values


class _Driver:
    """A search under way: Optuna's study, and the rows that it is made of."""

    def __init__(
        self, search: Search, ledger: Ledger, runs: Path, deadline: float, storage: str | None
    ) -> None:
        self.search, self.ledger, self.runs, self.deadline = search, ledger, runs, deadline
        self.distributions = {name: each.distribution() for name, each in search.space.items()}
        self.asked_at = ledger.path.with_name(ASKED)
        self.study = self._study(storage)

    def _study(self, storage: str | None) -> optuna.Study:
        optuna = load_optuna()
        study = optuna.create_study(
            storage=storage,
            study_name=self.search.name,
            direction=self.search.experiment.goal.direction,
            load_if_exists=True,
        )
        states = {
            "complete": optuna.trial.TrialState.COMPLETE,
            "pruned": optuna.trial.TrialState.PRUNED,
            "diverged": optuna.trial.TrialState.FAIL,
        }
        known = {
            trial.user_attrs.get("trial") for trial in study.trials if trial.state.is_finished()
        }
        for trial, curve in self._with_curves():
            if trial.number not in known:
                frozen = optuna.trial.create_trial(
                    state=states[trial.state],
                    value=trial.value if trial.state == "complete" else None,
                    params=dict(trial.values),
                    distributions=self.distributions,
                    intermediate_values=curve,
                    user_attrs={"trial": trial.number},
                )
                study.add_trial(frozen)
        return study

    def recorded(self) -> list[Trial]:
        """Return the trials that are recorded, in the order they were begun."""
        return [trial for trial, _ in self._with_curves()]

    def _with_curves(self) -> list[tuple[Trial, dict[int, float]]]:
        found = []
        for row in self.ledger.rows.values():
            (entry,) = row["by_seed"].values()
            found.append((trial_of(entry), curve_of(self.search, entry)))
        return sorted(found, key=lambda pair: pair[0].number)

    def ask(self) -> Iterator[tuple[_Asked, optuna.Trial]]:
        """Yield what is to be tried next: first what was begun and has not finished."""
        asked = self._asked()
        finished = {trial.number for trial in self.recorded()}
        for each in [each for each in asked if each.number not in finished]:
            if time.time() < self.deadline:
                yield each, self._begin(each.number, each.values)
        points = [*search_space.grid(self.search.space)] if self.search.sampler == "grid" else []
        while len(asked) < self.search.count and time.time() < self.deadline:
            number = len(asked)
            trial = self._begin(number, points[number] if points else None)
            asked.append(_Asked(number, dict(trial.params)))
            listed = {"asked": [each._asdict() for each in asked]}
            write_atomically(self.asked_at, to_json(listed))
            yield asked[-1], trial

    def _begin(self, number: int, values: Values | None) -> optuna.Trial:
        """Begin a trial in Optuna's study, with these values or with what it proposes."""
        optuna = load_optuna()
        # Anew for each trial: what is proposed follows from its number and the trials finished before.
        seed = (self.search.seed << 20) + number
        if self.search.sampler == "tpe":
            self.study.sampler = optuna.samplers.TPESampler(seed=seed)
        else:
            self.study.sampler = optuna.samplers.RandomSampler(seed=seed)
        if values is not None:
            self.study.enqueue_trial(dict(values))
        trial = self.study.ask(self.distributions)
        trial.set_user_attr("trial", number)
        return trial

    def _asked(self) -> list[_Asked]:
        from fastweights.runs.records import parse

        if not self.asked_at.exists():
            return []
        with oserror_as_user_error("read", self.asked_at):
            record = parse(read_plain(self.asked_at, None))
        try:
            return [_Asked(each["number"], each["values"]) for each in (record or {})["asked"]]
        except (KeyError, TypeError):
            raise UserError(
                f"{self.asked_at} was changed: remove {self.asked_at.parent}, or search elsewhere with --results"
            ) from None

    def run_of(self, asked: _Asked) -> TrialRun:
        """Return the run that tries it."""
        options = self.search.build(asked.values)
        curves = [curve for trial, curve in self._with_curves() if trial.state != "diverged"]
        return TrialRun(
            self.search.experiment,
            options,
            self.runs / f"trial-{asked.number}",
            self.deadline,
            curves if self.search.prune else None,
        )

    def tell(self, asked: _Asked, trial: optuna.Trial, entry: Record) -> Trial:
        """Record what came of a trial."""
        optuna = load_optuna()
        entry |= {"kept": {"trial": asked.number, "values": dict(asked.values)}}
        backend = entry.pop("backend")
        cell = Cell(
            f"{asked.number}: {search_space.label(asked.values)}",
            self.search.build(asked.values),
            metric=self.search.experiment.goal.key,
            seeds=1,
        )
        self.ledger.add(cell, cell.options.seed, entry, backend)
        finished = trial_of(entry)
        for step, value in curve_of(self.search, entry).items():
            trial.report(value, step)
        state = optuna.trial.TrialState
        if finished.state == "complete":
            self.study.tell(trial, finished.value)
        else:
            self.study.tell(trial, state=state.PRUNED if finished.state == "pruned" else state.FAIL)
        return finished


def _tell(
    driver: _Driver,
    running: dict[Future[Record | None], tuple[_Asked, optuna.Trial]],
    on_trial: Callable[[Trial, int], None],
) -> None:
    """Wait for a trial to end, and record it; one that the budget cut short goes on with the next call."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        asked, trial = running.pop(future)
        entry = future.result()
        if entry is not None:
            finished = driver.tell(asked, trial, entry)
            on_trial(finished, len(driver.recorded()))
