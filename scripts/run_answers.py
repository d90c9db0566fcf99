"""What runs answer: finished and unfinished ones, tested, drawn, gone on with and loaded, in a form to be compared."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path

import small_runs
from fuzz_cli import contents
from kill_and_resume import timeless

from fastweights.cli import main
from fastweights.experiments import runner
from fastweights.experiments.experiment import AnyExperiment
from fastweights.runs import Run, load

STOPPED_AT = {"text": 10}
"""Steps after which the unfinished runs stop; 3 where it is not named."""

TESTS = {
    "retrieval": [["--samples", "20"], ["a1b2??a"]],
    "catbabi": [["--split", "valid"], ["Mary went to the office. Where is Mary?"]],
    "glimpses": [["--split", "test"], ["7"]],
    "catch": [["--samples", "10"]],
    "metro-map": [["--samples", "10"]],
    "text": [["--split", "valid"], ["the cat sees a fish"]],
}
"""What a run is tested on and asked."""

Answer = tuple[int, str, tuple[str, ...]]
"""How a command ended, what it answered, and what it said of the run."""


def make_runs(place: Path, settings: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Train a finished and an unfinished run of every task, with pictures; return their tasks and folders."""
    whole, runs = runner.train, []

    def stopping(experiment: AnyExperiment, *words: object, **named: object) -> object:
        steps, last = count(1), STOPPED_AT.get(experiment.name, 3)
        return whole(experiment, *words, **named, stop=lambda: next(steps) >= last)  # type: ignore[arg-type]

    for state in ("finished", "unfinished"):
        runner.train = whole if state == "finished" else stopping  # type: ignore[assignment]
        for task in settings:
            folder, length = f"{state}/{task}", "3" if task == "text" else "6"
            often = [] if task == "text" else ["--evaluation-interval", "1"]
            words = [*settings[task], small_runs.LENGTH[task], length, *often, "--out", folder]
            train = partial(main, ["train", task, *words, "--backend", "reference"])
            drawn = partial(main, ["plot", folder])
            for work, code in ((train, 0 if state == "finished" else 130), (drawn, 0)):
                ended = small_runs.run(partial(_at, place, work), place)
                if ended.code != code:
                    raise RuntimeError(f"{task}, {state}: {ended}")
            runs.append((task, folder))
    runner.train = whole
    return runs


def _at(place: Path, work: Callable[[], int]) -> int:
    os.chdir(place)
    return work()


def commands(task: str, chance: random.Random) -> dict[str, Callable[[], int]]:
    """Return what is done with a run in the folder `run`: the same for the same chance."""
    drawn = chance.random() < 1 / 8
    words = {
        f"test {number}": ["test", "run", *given, "--json"]
        for number, given in enumerate(TESTS[task])
    }
    words |= {"plot": ["plot", "run", "--json"]} if drawn else {}
    words["resume"] = ["train", task, "--resume", "--out", "run", "--json"]
    return {"load": _load, **{name: partial(main, each) for name, each in words.items()}}


def _load() -> int:
    for name, weight in load("run").state_dict().items():
        print(name, weight.sum().item(), weight.flatten()[-1].item())
    return 0


def answers(task: str, place: Path, chance: random.Random) -> dict[str, Answer]:
    """Do with the run in the working folder what is to be done, and return the answers by name."""
    found = {}
    for name, work in commands(task, chance).items():
        small_runs.redirect(Path(os.devnull), place / "out", place / "err")
        code = small_runs.guarded(work)
        out, err = small_runs.spoken(place)
        if name == "load" and "UserError" in err:  # as a program would see it
            code = 2
        said = tuple(line for line in err.splitlines() if line.startswith("fastweights: "))
        found[name] = (code, _answer(name, out) if code == 0 else err[-1500:], said)
    return found


def _answer(name: str, out: str) -> str:
    """Return an answer without times, with the pictures or the trained run that came of it."""
    told = "" if not out else _plain(json.loads(out)) if name != "load" else out
    if name == "plot":
        return f"{told} {contents(Path('run/figures'))}"
    if name == "resume":
        run = Run.open("run")
        found = run.load_checkpoint()
        assert found is not None
        weights = {
            each: hashlib.sha1(t.numpy().tobytes()).hexdigest()
            for each, t in sorted(found.tensors.items())
        }
        return f"{told} {found.step} {weights} {[timeless(row) for row in run.metrics()]} {_plain(run.result())}"
    return told


def _plain(value: object) -> str:
    return json.dumps(timeless(value) if isinstance(value, dict) else value, sort_keys=True)


def speak() -> None:
    """Let what is logged be told apart on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("fastweights: logged: %(message)s"))
    handler.setStream(os.fdopen(2, "w", buffering=1, closefd=False))
    logging.getLogger("fastweights").addHandler(handler)


def undamaged(task: str, folder: str, place: Path) -> dict[str, Answer]:
    """Return the answers of a run as it was."""

    class Always(random.Random):
        def random(self) -> float:
            return 0.0  # every command there is

    def work() -> int:
        speak()
        shutil.rmtree(place / "case", ignore_errors=True)
        shutil.copytree(place / folder, place / "case" / "run")
        os.chdir(place / "case")
        found = answers(task, place, Always())
        (place / "answers").write_text(json.dumps(found))
        return 0

    ended = small_runs.run(work, place)
    found = json.loads((place / "answers").read_text())
    if ended.code or any(code for code, *_ in found.values()):
        raise RuntimeError(f"{folder} cannot be used: {found} {ended}")
    return {name: (code, answer, tuple(said)) for name, (code, answer, said) in found.items()}
