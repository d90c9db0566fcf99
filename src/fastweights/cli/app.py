"""Find the command that the words name, let tyro parse its options, run it, and fail in one clear line.

Each command is a dataclass in a module of its own: its fields are its options, its docstring is its help, `run()`
does the work and returns the exit code. Modules load only when named, so `--help` answers at once. `train` comes out of
the registry of experiments.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from fastweights.cli.encoding import never_failing
from fastweights.cli.parsing import parse
from fastweights.errors import Note, UserError, check_choice
from fastweights.io.showing import shown_by
from fastweights.io.stopping import INTERRUPTED, leave, stoppable

if TYPE_CHECKING:
    from fastweights.experiments.experiment import AnyExperiment


OTHERS_WAIT = 3.0
"""Seconds that the other processes of a launch wait before they complain: what all refuse is said by the first alone,
since torchrun ends them all with it."""


@runtime_checkable
class Command(Protocol):
    """A parsed command line, ready to run."""

    def run(self) -> int:
        """Do the work and return the exit code."""
        ...


class OnTask(Protocol):
    """A parsed command line of a task."""

    @property
    def experiment(self) -> Any:
        """Return the options of the experiment."""


C = TypeVar("C", bound=OnTask)


class Entry(NamedTuple):
    """Where a command lives (module:class) and what it is for, in a line."""

    place: str
    summary: str


COMMANDS = {
    "test": Entry("test:COMMAND", "Ask a run: answers and probabilities for sequences, stories, images; test it."),
    "generate": Entry("generate:Generate", "Let a language model go on with a text, word by word."),
    "plot": Entry("plot:Plot", "Draw a run: curves, what was attended to, the memory; several runs: compare."),
    "page": Entry("page:Page", "Write a run as one HTML file that runs it in a browser, offline."),
    "export": Entry("export:Export", "Write a run's weights and model card into one folder, as the hub has them."),
    "solve": Entry("solve:Solve", "Answer a bAbI story's questions by rules, with the sentences they follow from."),
    "reproduce": Entry("reproduce:Reproduce", "Make a published table again, cell by cell, resumable."),
    "data get": Entry("data:DataGet", "Fetch a data set and check it: babi, mnist, ptb, wikitext-2."),
    "data make": Entry("data_make:DataMake", "Make bAbI's stories, without a download: the 20 tasks as text files."),
    "bench": Entry("bench:Bench", "Time the recurrences side by side, as ratios and as a share of the machine's peak."),
    "gradcheck": Entry("gradcheck:Gradcheck", "Check the hand-derived gradients by finite differences."),
    "doctor": Entry("doctor:Doctor", "Show which backend runs each op here and why, and check its kernels."),
    "list": Entry("inventory:Inventory", "List models, tasks, studies and backends."),
    "warmup": Entry("warmup:Warmup", "Compile the fused kernels ahead of their first use."),
}  # fmt: skip
"""All but `train` and `tune`, whose tasks are the experiments of the registry."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `fastweights` command and return its exit code.

    0: done. 1: a check failed. 2: something given cannot be used. 130: interrupted, resumable.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    with never_failing(), stoppable(_interrupted), shown_by(_bar), warnings.catch_warnings():
        warnings.showwarning = _show(warnings.showwarning)
        code = _exit_code(words)
    if arguments is None and code == INTERRUPTED:
        leave()
    return code


def _bar(title: str, unit: str, count: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show work inside the library; of processes that do the same the first alone shows it."""
    from fastweights.experiments.terminal import progress_bar

    if int(os.environ.get("RANK", 0)):
        return nullcontext(lambda done: None)
    return progress_bar(title, unit, count)


def _show(otherwise: Callable[..., None]) -> Callable[..., None]:
    """Print a note as one line, and all other warnings as before."""

    def show(message: Warning | str, category: type[Warning], *where: object) -> None:
        if issubclass(category, Note):
            print(f"fastweights: note: {message}", file=sys.stderr)
        else:
            otherwise(message, category, *where)

    return show


def _exit_code(words: list[str]) -> int:
    # Read by torch at its first allocation: large tensors on huge pages, a third less time for a softmax of many words.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except UserError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        _interrupted()
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted; keep the interpreter's own flush at exit quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(f"{error.strerror or error}: {error.filename or 'while writing'}")
    except (MemoryError, OverflowError, RuntimeError, TypeError) as error:
        lacking = _lacking(error)
        if lacking is None:
            raise
        return _refuse(f"{lacking}: {_smaller(words)}")


def _interrupted() -> None:
    _complain("interrupted")


def _refuse(message: str) -> int:
    if int(os.environ.get("RANK", 0)):
        time.sleep(OTHERS_WAIT)
    _complain(" ".join(message.split()))
    return 2


def _complain(line: str) -> None:
    try:
        print(f"fastweights: {line}", file=sys.stderr, flush=True)
    except OSError:  # it cannot be said either: keep the interpreter's own flush at exit quiet too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


LACKING = {
    "there is not enough memory": ("allocate memory", "not enough memory", "out of memory"),
    "a size is beyond 64 bits": ("overflow",),
}
"""What torch says in a `RuntimeError` or `TypeError` where numbers are too large; its own type for lack of memory is a
`RuntimeError` too."""


def _lacking(error: Exception) -> str | None:
    """Return what numbers were too large for; None for an error that is of something else."""
    memory, bits = LACKING
    if isinstance(error, MemoryError | OverflowError):
        return memory if isinstance(error, MemoryError) else bits
    said = str(error).lower()
    return next((kind for kind, parts in LACKING.items() if any(p in said for p in parts)), None)


def _smaller(words: list[str]) -> str:
    """Return what to make smaller: the numbers that were given, if any were, the largest first."""
    pairs = (word.partition("=") if "=" in word else (word, "", after)
             for word, after in itertools.pairwise([*words, ""]))  # fmt: skip
    sizes = {name: int(value) for name, _, value in pairs if name[:2] == "--" and value.isdecimal()}
    sizes.pop("--seed", None)  # no size
    named = [f"{name} {sizes[name]}" for name in sorted(sizes, key=sizes.__getitem__, reverse=True)]
    if not named:
        return "end other programs, or choose a smaller model or less at a time"
    return f"make {' or '.join(named)} smaller"


def _summaries() -> dict[str, str]:
    """Return what each command is for, `train` with the tasks that have experiments."""
    from fastweights.experiments import registry

    tasks = registry.EXPERIMENTS.values()
    training = {f"train {each.name}": each.summary for each in tasks}
    tuning = {f"tune {each.name}": f"Search for settings of {each.name}." for each in tasks}
    return training | tuning | {name: entry.summary for name, entry in COMMANDS.items()}


def _run(words: list[str]) -> int:
    if words and words[0] in ("--version", "-V"):
        from fastweights import __version__

        print(__version__)
        return 0
    _check_extra()
    names = [*_summaries()]
    groups = {name.split()[0] for name in names}
    if not words or words[0] in ("-h", "--help"):
        return _overview("")
    check_choice("command", words[0], groups)
    if words[0] in COMMANDS:
        return parse(words[0], _load(words[0]), words[1:]).run()
    inside = [name.split()[1] for name in names if name.startswith(f"{words[0]} ")]
    if len(words) < 2 or words[1] in ("-h", "--help"):
        return _overview(words[0])
    on_task = OF_TASKS.get(words[0])
    check_choice("task" if on_task else f"{words[0]} command", words[1], inside)
    name, options = f"{words[0]} {words[1]}", words[2:]
    return on_task(words[1], options) if on_task else parse(name, _load(name), options).run()


def _check_extra() -> None:
    """Raise `UserError` where the libraries of the command line are not installed: before anything is done."""
    if any(importlib.util.find_spec(name) is None for name in ("tyro", "rich")):
        raise UserError(
            "the command line needs its libraries: pip install 'fastweights[cli]' ('.[cli]' in a clone)"
        )


def _train(task: str, options: list[str]) -> int:
    from fastweights.cli.config import with_config
    from fastweights.cli.train import Train
    from fastweights.experiments import registry

    experiment = registry.get(task)
    options = with_config(options, task, experiment.options)
    command = _parsed("train", Train[experiment.options], experiment, options)
    words = [word[2:].partition("=")[0] for word in options if word.startswith("--")]
    return command.run(experiment, explicit=[word.replace("-", "_") for word in words])


def _tune(task: str, options: list[str]) -> int:
    from fastweights.cli.tune import Tune
    from fastweights.experiments import registry

    experiment = registry.get(task)
    return _parsed("tune", Tune[experiment.options], experiment, options).run(experiment, options)


def _parsed(verb: str, command: Callable[..., C], experiment: AnyExperiment, words: list[str]) -> C:
    """Build the command of a task, whose help shows what is taken for options that are not given."""
    name = f"{verb} {experiment.name}"
    return parse(name, command, words, lambda given: experiment.resolved(given.experiment))


OF_TASKS: dict[str, Callable[[str, list[str]], int]] = {"train": _train, "tune": _tune}
"""What the commands do whose second word is a task."""


def _load(name: str) -> Callable[..., Command]:
    module, _, attribute = COMMANDS[name].place.partition(":")
    return getattr(importlib.import_module(f"fastweights.cli.{module}"), attribute)


def _overview(group: str) -> int:
    """Print the commands (of a group) with their summaries, in the manner of tyro's own help."""
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.table import Table

    table = Table(box=ROUNDED, show_header=False, title="commands", title_justify="left")
    for name, summary in _summaries().items():
        # In the whole list one line stands for all tasks that can be tuned.
        if name.startswith(group) and (group or not name.startswith("tune ")):
            table.add_row(f"[bold]{name}[/bold]", summary)
    if not group:
        table.add_row(
            "[bold]tune TASK[/bold]", "Search for settings of a task, by trials that are recorded."
        )
    console = Console()
    console.print(
        f"usage: fastweights {group or 'COMMAND'} …   ( --help after any command shows its options )",
        markup=False,
    )
    console.print(
        "\nFast weight memories: train them, test them, look inside, reproduce the papers.\n"
    )
    console.print(table)
    return 0
