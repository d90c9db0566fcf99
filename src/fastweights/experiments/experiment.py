"""An experiment: one typed value a task, from which the command line, the studies and the pictures come.

`experiments.registry` lists them. A task's package is its experiment; in it are `options` (what a user chooses, and the
defaults), `plan` (every default filled in) and, loaded when needed, `predict`, `figures`, `report` and `study`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    runtime_checkable,
)

from fastweights.experiments.loaded_run import LoadedRun, open_run
from fastweights.experiments.options import DataOptions, RunOptions
from fastweights.experiments.plan import Plan, Record, with_defaults
from fastweights.experiments.records import TaskRecord
from fastweights.experiments.terminal import Shown
from fastweights.io.typed import check

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing
    from torch import Tensor

    from fastweights.models import SequenceModel
    from fastweights.runs import Run
    from fastweights.training import Outcome

O = TypeVar("O", bound=RunOptions)  # noqa: E741
P = TypeVar("P", bound=Plan)
T = TypeVar("T")


class Evaluation(NamedTuple):
    """The figures of a trained model to record, and a few answered questions."""

    figures: Record
    samples: list[Record]


class Questions(NamedTuple):
    """Questions that a run can be asked.

    Attributes:
        kind: in the plural.
        example: one of them.
        stdin: how they are read from standard input where none is given: one a line, or all of it as one; None: a run
            that is asked nothing is tested.
    """

    kind: str
    example: str
    stdin: Literal["lines", "whole"] | None


class Goal(NamedTuple):
    """The objective of a search for settings: a figure of the evaluations, none of which is on test data.

    Attributes:
        key: its name in the rows of metrics.
        direction: which way it is better.
    """

    key: str
    direction: Literal["minimize", "maximize"]


LOSS = Goal("cross_entropy", "minimize")


class Figure(NamedTuple):
    """A figure that can be drawn: its file's name, and what makes it."""

    name: str
    make: Callable[[], Drawing]


class Animation(NamedTuple):
    """A function that draws an animation into a file; where there is none, the reason."""

    draw: Callable[[Path], Path] | None
    reason: str = ""


class PageContents(NamedTuple):
    """What a page holds of a run: one JSON object, and the weights that the browser computes with, by name."""

    record: Record
    weights: Mapping[str, Tensor]


class RunPage(NamedTuple):
    """The page of an experiment's runs.

    Attributes:
        models: those that it can show, by their registered names.
        contents: returns what it holds of the run in a folder; raises `UserError` where that cannot be shown.
    """

    models: tuple[str, ...]
    contents: Callable[[Path], PageContents]


@runtime_checkable
class ResultsTable(Protocol):
    """A table of results as `results/README.md` has it: a `study.Study`, or a `demonstration.Demonstration`."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Return whether a recorded row is of the table as it is now."""
        ...

    def draw(self, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Draw the table into a file, if it is one that is drawn, and other pictures of the rows beside it."""
        ...

    def lines(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return further lines of the table's page, of its rows."""
        ...


@dataclass(frozen=True, kw_only=True)
class Work(Generic[P, T]):
    """The work of an experiment; loaded when it is first needed, and torch with it.

    Attributes:
        evaluate: tests a trained model, in whatever mode, by its plan and the outcome of its training.
        test: tests the run in a folder anew; raises `UserError` where that is no run of the task or an option is wrong.
        ask: loads the run in a folder, with its data in another or where it was in training (None does for tasks
            without data, and for runs that record their words), and returns what answers a question; both raise
            `UserError`, where the first is no run of the task, or the question cannot be answered; None: it takes none.
        report: what a terminal shows of a result and a few answered questions.
        report_test: the same of a test.
        report_answer: the same of an answer.
        studies: the tables that `reproduce` makes, for the experiment.
    """

    evaluate: Callable[[SequenceModel, P, Outcome], Evaluation]
    test: Callable[[Path, T], Record]
    ask: Callable[[Path, Path | None], Callable[[str], Record]] | None = None
    report: Callable[[Record, Sequence[Record]], Iterator[Shown]]
    report_test: Callable[[Record], Iterator[Shown]]
    report_answer: Callable[[Record], Iterator[Shown]] | None = None
    studies: Callable[[AnyExperiment], tuple[ResultsTable, ...]]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures of an experiment's runs; loaded when it is first needed, and matplotlib with it.

    Attributes:
        open: loads a run to draw it.
        draw: one run's figures; looks inside with a sequence, None: one of the task's; raises `UserError` where it
            cannot be read.
        compare: several runs' figures.
        compare_on: the same, and what they make of a sequence; None: a sequence is for one run.
        animate: what animates a run, or why nothing does; None: no run of the task has an animation.
    """

    open: Callable[[Path, Path | None], LoadedRun[Any]] = open_run
    draw: Callable[[LoadedRun[Any], str | None], Iterator[Figure]]
    compare: Callable[[list[LoadedRun[Any]]], Iterator[Figure]]
    compare_on: Callable[[list[LoadedRun[Any]], str], Iterator[Figure]] | None = None
    animate: Callable[[LoadedRun[Any], str | None], Animation] | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[O, P, T]):
    """An experiment: what a user chooses, the plan that follows, and what is done by it.

    Attributes:
        name: of the task, on the command line too.
        summary: of `train`, in a line.
        options: the dataclass that a user fills in; its docstring is the help of `train`.
        plan_type: the dataclass of its plan.
        task_record: the TypedDict of what a run of it records of the task.
        defaults: returns every default by field, for options whose `model` is a registered name; raises `UserError` if
            an option is given that the model does not have.
        test_options: a dataclass of what `test` takes, each field `Annotated` with its help and None by default; of
            `DataOptions` where the task has data.
        questions: what a run can be asked; None: nothing.
        sequence: what `plot --sequence` takes.
        animated: what `plot --gif` shows; empty: there is no animation.
        goal: what `tune` is after.
        search: what `tune` tries where nothing is said, as `--search` has it.
        page: what `page` makes of its runs; None: nothing.
        load_work, load_pictures: load what it does, and what draws it.
    """

    name: str
    summary: str
    options: type[O]
    plan_type: type[P]
    task_record: Callable[..., object] = TaskRecord
    defaults: Callable[[O], Mapping[str, object]]
    test_options: type[T]
    questions: Questions | None = None
    sequence: str
    animated: str = ""
    goal: Goal = LOSS
    search: tuple[str, ...] = ("learning_rate=1e-4:1e-1:log",)
    page: RunPage | None = None
    load_work: Callable[[], Work[P, T]]
    load_pictures: Callable[[], Pictures]

    @functools.cached_property
    def work(self) -> Work[P, T]:
        """Return what the experiment does."""
        return self.load_work()

    @functools.cached_property
    def pictures(self) -> Pictures:
        """Return what draws the experiment's runs."""
        return self.load_pictures()

    @property
    def has_data(self) -> bool:
        """Whether the task reads data sets."""
        return issubclass(self.test_options, DataOptions)

    def plan(self, options: O) -> P:
        """Return the options with every default filled in, checked.

        Raises:
            UserError: on a value out of range, an unknown model, or an option that the model does not have.
        """
        named = _named(options)
        plan = self.plan_type(**with_defaults(named, self.defaults(named)))
        plan.check()
        return plan

    def check_record(self, run: Run) -> None:
        """Raise `UserError` unless a run records a plan and a task whose fields are of the types that they have."""
        check(run.folder / "config.json", run.config["plan"], self.plan_type)
        check(run.folder / "config.json", run.config["task"], self.task_record)

    def resolved(self, options: O) -> Mapping[str, object]:
        """Return what is taken for fields that are None, a backbone's own options among them, by name.

        Raises:
            UserError: on an unknown model, or an option that the model does not have.
        """
        from fastweights import models

        named = _named(options)
        defaults = self.defaults(named)
        plan = self.plan_type(**with_defaults(named, defaults))
        return {**models.options(plan.model), **plan.network()["options"], **defaults}


def _named(options: O) -> O:
    """Return options whose model is a registered name."""
    from fastweights import models

    return dataclasses.replace(options, model=models.describe(options.model).name)


AnyExperiment = Experiment[Any, Any, Any]
"""Some experiment, whichever it is."""
