"""`fastweights test RUN`: ask a trained run, or test it anew."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar, get_args, get_origin, get_type_hints

import tyro

from fastweights.cli.by_task import DATA_HELP, by_task
from fastweights.cli.console import print_json, read_stdin, show
from fastweights.cli.encoding import as_typed
from fastweights.cli.prompt import converse, on_terminal
from fastweights.errors import UserError
from fastweights.experiments import registry
from fastweights.experiments.experiment import AnyExperiment, Questions
from fastweights.experiments.options import DataOptions

T = TypeVar("T", bound=object)


@dataclass(frozen=True)
class Test(Generic[T]):
    """Ask a run, for answers with their probabilities and what was attended to; with an option of a task, test it."""

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    task: T
    questions: tyro.conf.Positional[tuple[str, ...]] = ()
    """What to ask; none: a prompt on a terminal; else read from standard input, or tested, as the task has it."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        experiment = registry.of_run(self.folder)
        given = {name: value for name, value in vars(self.task).items() if value is not None}
        accepted = {field.name for field in dataclasses.fields(experiment.test_options)}
        for name in given:
            if name not in accepted:
                raise UserError(
                    f"--{name.replace('_', '-')} is no option for the task of {self.folder}"
                )
        data = {field.name for field in dataclasses.fields(DataOptions)}
        tests = [name for name in given if name not in data]
        asked, work = experiment.questions, experiment.work
        ask, report_answer = work.ask, work.report_answer
        if asked is None or ask is None or report_answer is None:
            if self.questions:
                raise UserError(f"{self.folder} is a run that takes no questions")
        elif tests and self.questions:
            raise UserError(f"give either {asked.kind} or --{' --'.join(tests)}, not both")
        elif not tests and not self.questions and on_terminal():
            answer = ask(self.folder, given.get("data_dir"))

            def reply(question: str) -> None:
                found = answer(question)
                print_json([found]) if self.json else show(report_answer(found))

            converse(experiment.name, asked, reply)
            return 0
        elif not tests and (self.questions or asked.stdin):
            questions = tuple(map(as_typed, self.questions)) or _from_stdin(asked)
            answer = ask(self.folder, given.get("data_dir"))
            answers = [answer(question) for question in questions]
            if self.json:
                print_json(answers)
            for found in () if self.json else answers:
                show(report_answer(found))
            return 0
        tested = work.test(self.folder, experiment.test_options(**given))
        print_json(tested) if self.json else show(work.report_test(tested))
        return 0


def _task_options() -> type:
    """Return a dataclass of all options that some experiment's tests take, whose help says which it is."""
    types: dict[str, object] = {}
    texts: dict[str, list[tuple[str, str]]] = {}
    for experiment in registry.EXPERIMENTS.values():
        for name, hint in get_type_hints(experiment.test_options, include_extras=True).items():
            kind, text = get_args(hint) if get_origin(hint) is Annotated else (hint, DATA_HELP)
            assert types.setdefault(name, kind) == kind, f"--{name} has two types"
            texts.setdefault(name, []).append((experiment.name, text))
    fields = [
        (name, Annotated[kind, tyro.conf.arg(help=by_task(texts[name]))], None)
        for name, kind in types.items()
    ]
    lines = [_in_a_line(experiment) for experiment in registry.EXPERIMENTS.values()]
    return dataclasses.make_dataclass(
        "TaskOptions", fields, frozen=True, namespace={"__doc__": "\n\n".join(lines)}
    )


def _in_a_line(experiment: AnyExperiment) -> str:
    """Return what can be asked of a run of an experiment, and the options of its tests."""
    asked = experiment.questions
    questions = "no questions"
    if asked is not None:
        stdin = {"lines": "or one a line", "whole": "or one", None: "none"}[asked.stdin]
        questions = f'{asked.kind} ("{asked.example}"), {stdin} on standard input'
    names = (field.name for field in dataclasses.fields(experiment.test_options))
    return f"{experiment.name}: {questions}; --{', --'.join(names).replace('_', '-')}."


def _from_stdin(asked: Questions) -> tuple[str, ...]:
    """Read questions from standard input: its lines, or the whole."""
    if sys.stdin is None:
        raise UserError(f'no {asked.kind} given: add some ("{asked.example}") or pipe them in')
    text = read_stdin()
    questions = [text] if asked.stdin == "whole" else text.splitlines()
    found = tuple(question.strip() for question in questions if question.strip())
    if not found:
        raise UserError(f"no {asked.kind} on standard input")
    return found


COMMAND = Test[_task_options()]
"""`fastweights test` with the options of all tasks."""
