"""Run an experiment: make or resume its run folder, train, test, and record the result."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.loaded_run import check_data
from fastweights.experiments.options import RunOptions, backend_option
from fastweights.experiments.plan import Plan, Record, backend_of, wants_more
from fastweights.experiments.records import config_of, metrics_of, result_of
from fastweights.runs import Run, begun, load
from fastweights.runs.exported import EXPORT
from fastweights.runs.load import model_of
from fastweights.training import Diverged, Outcome, Progress, fit
from fastweights.training.engine import distributed
from fastweights.training.engine.progress import Several

_log = logging.getLogger("fastweights.experiments")


class Trained(NamedTuple):
    """The outcome of a run: the recorded result, a few answered questions, or where it was interrupted."""

    result: Record
    samples: list[Record]
    step: int
    interrupted: bool


def train(
    experiment: AnyExperiment,
    options: RunOptions,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    explicit: Collection[str] = (),
    progress: bool = False,
    listeners: Sequence[Progress] = (),
    stop: Callable[[], bool] | None = None,
    graph: bool = False,
) -> Trained:
    """Train, test and record a run of an experiment.

    Within `training.distributed.joined` the processes train together; the first one writes and tests.

    Args:
        experiment: which.
        options: of the experiment; those left at None are filled in.
        folder: the run folder to make.
        resume: go on with the run in the folder, to the bit; where there is none yet, begin it. A finished one is
            looked through, made whole where that takes training only, and tested anew where options of its test differ.
        overwrite: replace the run in the folder.
        explicit: fields that were given in so many words. A resumed run must have them as they are here, even those
            that are as by default; of the others, a default says nothing.
        progress: show a bar on the terminal.
        listeners: to the training, besides.
        stop: asked after each step; True ends the run as Ctrl-C does, resumable.
        graph: record training steps as CUDA graphs.

    Raises:
        UserError: if the folder holds something else, the options cannot be run, or training diverges.
    """
    if resume and overwrite:
        raise UserError("--resume and --overwrite exclude each other")
    run = distributed.from_first(
        lambda: Run.open(folder) if resume and (folder / "config.json").exists() else None
    )
    plan = _resumed(experiment, options, run, explicit) if run else experiment.plan(options)
    recorded = distributed.from_first(lambda: _result(run) if run else None)
    if (
        run is not None
        and recorded is not None
        and not wants_more(recorded, plan)
        and not _tests_otherwise(run, plan)
        and distributed.from_first(lambda: _is_whole(run, recorded))
    ):
        return Trained(recorded, [], recorded["steps"], False)
    with _threads(plan):
        return _train(experiment, plan, folder, run, overwrite, progress, listeners, stop, graph)


def _train(
    experiment: AnyExperiment,
    plan: Plan,
    folder: Path,
    run: Run | None,
    overwrite: bool,
    progress: bool,
    listeners: Sequence[Progress],
    stop: Callable[[], bool] | None,
    graph: bool,
) -> Trained:
    # The settings, and the model, come before the folder: what they refuse must leave nothing behind.
    settings = dataclasses.replace(plan.engine_settings(), graph=graph)
    if run is not None:
        check_data(run, plan.task_config())
    torch.manual_seed(plan.seed)
    model = models.from_config(_model_config(plan, run))
    plan.prepare(model)
    source = plan.source()
    progress = progress and distributed.rank() == 0
    with ExitStack() as stack:  # only the first process's is not empty
        writing = distributed.from_first(
            lambda: (
                _extended(run, plan)
                if run
                else stack.enter_context(
                    begun(folder, _config(plan), overwrite=overwrite, keep=(Diverged,))
                )
            )
        )
        if progress:
            print(plan.opening(model), file=sys.stderr, flush=True)
        heard = Several([*([plan.progress()] if progress else []), *listeners])
        outcome = fit(model, source, settings, writing, progress=heard, stop=stop)
    if outcome.interrupted:
        return Trained({}, [], outcome.steps, True)
    return distributed.from_first(lambda: _finish(experiment, plan, model, outcome, writing))


def _model_config(plan: Plan, run: Run | None) -> Record:
    """Return the model; that of a run as it was begun, whatever the defaults are by now, but for the backend."""
    config = plan.model_config()
    if run is None:
        return config
    recorded, backend = model_of(run), backend_option(plan.model, plan.backend)
    return {**recorded, "options": {**recorded["options"], **backend}}


def _finish(
    experiment: AnyExperiment, plan: Plan, model: models.SequenceModel, outcome: Outcome, run: Run
) -> Trained:
    evaluation = experiment.work.evaluate(model, plan, outcome)
    result = {
        "model": plan.model,
        **evaluation.figures,
        "steps": outcome.steps,
        "limit_seconds": plan.seconds,
        "train_seconds": outcome.seconds,
        "compile_seconds": outcome.compile_seconds,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "backend": backend_of(model),
        "processes": distributed.world(),
        "threads": torch.get_num_threads(),
        "seed": plan.seed,
        "out": str(run.folder),
    }
    run.write_result(result)
    return Trained(result, evaluation.samples, outcome.steps, False)


@contextmanager
def _threads(plan: Plan) -> Iterator[None]:
    """Train small networks on one thread: waking a second one costs a step more than it saves."""
    before = torch.get_num_threads()
    if plan.single_thread:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _config(plan: Plan) -> Record:
    return {
        "plan": {name: _plain(value) for name, value in dataclasses.asdict(plan).items()},
        "model": plan.model_config(),
        "task": plan.task_config(),
    }


def _extended(run: Run, plan: Plan) -> Run:
    """Record how long the run is to be now, so that resuming it needs no repetition of that."""
    now = {name: _plain(getattr(plan, name)) for name in plan.recorded_on_resume()}
    record = run.config["plan"]
    if run.result() is not None or any(record[name] != value for name, value in now.items()):
        run.update_config({**run.config, "plan": {**record, **now}})
    return run


def _result(run: Run) -> Record | None:
    result = result_of(run)
    if result is not None and "steps" not in result:
        raise UserError(
            f"{run.folder / 'result.json'} says no steps: remove it, and --resume tests the run anew"
        )
    return result


def _tests_otherwise(run: Run, plan: Plan) -> bool:
    """Return whether a plan's options of the test are other ones than the run was begun with."""
    record = run.config["plan"]
    asked = {name: _plain(getattr(plan, name)) for name in plan.of_test}
    return any(record.get(name, value) != value for name, value in asked.items())


def _is_whole(run: Run, recorded: Record) -> bool:
    """Return whether a finished run still has its newest checkpoint; training from an older one makes it again.

    Raises:
        UserError: if anything else of it is missing, was changed or does not fit.
    """
    found = run.load_checkpoint()
    if found is None:
        raise UserError(
            f"run {run.folder} says that it is finished, but has no checkpoint: put it back, or train the run anew"
        )
    if not metrics_of(run):
        raise UserError(f"{run.folder / 'metrics.jsonl'} lacks its rows: put it back as it was")
    load(run.folder)
    if found.step != recorded["steps"]:
        _log.warning(
            "the checkpoint of step %s is not whole: training goes on from step %s",
            recorded["steps"],
            found.step,
        )
    return found.step == recorded["steps"]


def _plain(value: object) -> object:
    # Whole, so that it is found again from another working directory.
    return str(value.absolute()) if isinstance(value, Path) else value


def _resumed(
    experiment: AnyExperiment, given: RunOptions, run: Run, explicit: Collection[str]
) -> Plan:
    """Return the plan that a run was begun with; what is given besides must agree with it or may change."""
    if EXPORT in run.config:
        raise UserError(f"{run.folder} is an exported model: it has no state of training to resume")
    record = run.config.get("plan")
    fields = {field.name: field for field in dataclasses.fields(given)}
    if isinstance(record, dict):
        record = {given.renamed.get(name, name): value for name, value in record.items()}
    # A field that came later and is None or empty decides nothing, so a run from before has it.
    later = {n: field.default for n, field in fields.items() if field.default in (None, ())}
    if not isinstance(record, dict) or not set(record) <= set(fields) <= {*record, *later}:
        raise UserError(f"{run.folder} is not a run of this command: it records no such options")
    config_of(run)
    experiment.check_record(run)
    record = later | {name: _as_given(value, fields[name]) for name, value in record.items()}
    changeable, extending = given.changeable_on_resume, given.recorded_on_resume()
    now = {
        name
        for name in changeable
        if name in explicit or getattr(given, name) != fields[name].default
    }
    kept = {name: value for name, value in record.items() if name not in now}
    limits = {name for name in given.limits if getattr(given, name) is not None}
    if limits and (record.get("minutes") is not None) != ("minutes" in limits):
        # The run is to end at a limit of the other kind, not at what was recorded of the first.
        kept |= dict.fromkeys(given.limits)
    for name, field in fields.items():
        value = getattr(given, name)
        if value is None or name in changeable:
            continue
        if value == field.default and name not in explicit:
            continue
        if name in extending:
            kept[name] = value
        elif (models.describe(value).name if name == "model" else value) != record[name]:
            raise UserError(
                f"{run.folder} was begun with {name} {record[name]}, not {value}: leave it out to resume"
            )
    begun = experiment.plan(dataclasses.replace(given, **record))
    plan = experiment.plan(dataclasses.replace(given, **kept))
    _check_decided(begun, plan, run)
    return plan


def _check_decided(begun: Plan, plan: Plan, run: Run) -> None:
    """Refuse another length where a schedule ends with it: the run would not be the one that was begun."""
    before = begun.deciding()
    for name, value in plan.deciding().items():
        if name not in plan.of_test and before.get(name, value) != value:
            raise UserError(
                f"{run.folder} was begun with {name} {before[name]}, with which a schedule ends: it cannot go on"
                f" with {value}"
            )


def _as_given(value: object, field: dataclasses.Field[object]) -> object:
    """Undo what JSON and `_plain` make of an option's value."""
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if isinstance(value, str) and "Path" in str(field.type) else value
