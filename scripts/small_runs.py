"""Small runs of every experiment on data made on the spot, and commands in forks of a process that has loaded them all.

A fork has loaded what a command would load first, and has neither trained nor joined a group; all else it does itself.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("MPLCONFIGDIR", tempfile.gettempdir())  # it keeps its list of fonts there
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch loads; a fork has no other thread
sys.path.append(str(Path(__file__).parents[1] / "tests"))  # where small data is made

import mnist_made
from babi_made import make_release
from fastweights.cli import main
from fastweights.data import mnist
from fastweights.experiments import registry
from text_made import make_text

SMALL = {
    "retrieval": "--hidden 6 --batch 4 --pairs 2 --test-samples 20",
    "catbabi": "--hidden 6 --embedding 4 --memory-size 3 --batch 4 --length 10 --tasks 1 --test-rows 4",
    "glimpses": "--features 6 --glimpse-layer 8 --batch 4",
    "catch": "--size 5 --hidden 6 --agents 4 --evaluation-episodes 10 --test-episodes 10",
    "metro-map": "--hidden 6 --memory-size 4 --graphs 10 --horizon 6",
    "state-tracking": "--hidden 6 --batch 4 --length 6 --test-length 8 --test-samples 10",
    "mqar": "--hidden 6 --batch 4 --pairs 2 --length 12 --vocabulary 16 --test-samples 10",
    "mad": "--hidden 6 --batch 4 --length 16 --vocabulary 16 --train-samples 8 --test-samples 10",
    "selective-copying": "--hidden 6 --batch 4 --copied 2 --length 12 --test-samples 10",
    "in-context-regression": "--hidden 6 --batch 4 --points 4 --test-samples 10",
    "text": "--embedding 6 --hidden 8 --memory-size 3 --batch 4 --length 20",
}
"""Options by task, apart from how long a run is."""

LENGTH = dict.fromkeys(SMALL, "--steps") | {
    "catch": "--updates",
    "metro-map": "--updates",
    "text": "--epochs",
}
"""The option that says how long a run is."""

MOST_MEMORY = 6 << 30
"""Bytes that a fork may ask for, so that a number that is too large is refused there and harms nobody else."""

UNCAUGHT = 70
"""Exit code of a fork in which an exception was left to the interpreter, which would print a traceback."""


class End(NamedTuple):
    """How a command ended: its exit code (negative: the signal; None: stopped, it took too long), what it said."""

    code: int | None
    out: str
    err: str


@contextmanager
def made(place: Path) -> Iterator[dict[str, list[str]]]:
    """Make the data of all tasks; yield the words that train each of them on it, apart from how long.

    What such trainings load is loaded by then, as it is in no time that is measured or paid for each time.
    """
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    babi = make_release(place, stories=2, tasks=[1])
    digits = mnist_made.make_mnist(place / "mnist", train=60, test=20)
    sentences = make_text(place / "text", lines=(60, 8, 8))
    published = dict(mnist.MNIST.digests)
    mnist.MNIST.digests.update(mnist_made.digests(digits))
    own = {"catbabi": ["--data-dir", str(babi)], "glimpses": ["--data-dir", str(digits)]}
    own["text"] = ["--data", *sentences]
    try:
        yield {task: [*SMALL[task].split(), *own.get(task, [])] for task in registry.EXPERIMENTS}
    finally:
        mnist.MNIST.digests.update(published)


def train_each(place: Path, settings: Mapping[str, Sequence[str]], *more: str) -> None:
    """Train a run of each task into `place / "runs" / task` in forks, then load what they did.

    Raises:
        RuntimeError: if one is not trained.
    """
    listed = place / "modules"

    def train(task: str) -> int:
        words = [*settings[task], LENGTH[task], "2", "--out", str(place / "runs" / task), *more]
        code = main(["train", task, *words])
        listed.write_text("\n".join(name for name in sys.modules if "__main__" not in name))
        return code

    for task in settings:
        ended = run(partial(train, task), place)
        if ended.code != 0:
            raise RuntimeError(f"{task} is not trained: {ended}")
        for name in listed.read_text().split():
            with suppress(Exception), warnings.catch_warnings(action="ignore"):
                importlib.import_module(name)


def start(work: Callable[[], int], out: Path, err: Path) -> int:
    """Fork a process that does some work and ends with its value; return its id, which is that of its group too."""
    process = os.fork()
    if process:
        return process
    code = UNCAUGHT
    try:
        os.setsid()
        redirect(Path(os.devnull), out, err)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        code = guarded(work)
    finally:
        os._exit(code)


def redirect(asked: Path, out: Path, err: Path) -> None:
    """Let this process read a file, and write into two new ones what it says."""
    for descriptor, path in enumerate((asked, out, err)):
        file = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_TRUNC if descriptor else os.O_RDONLY, 0o666
        )
        os.dup2(file, descriptor)
        os.close(file)


def guarded(work: Callable[[], int]) -> int:
    """Do some work and return its exit code, as the interpreter would end with it."""
    try:
        code = work()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = UNCAUGHT
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def end(process: int, seconds: float) -> int | None:
    """Wait so long for a process and return its exit code, negative for a signal; None if it had to be killed."""
    ends, pause = time.monotonic() + seconds, 0.002
    while time.monotonic() < ends:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    kill(process)
    return None


def kill(process: int) -> None:
    """Kill a process, and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.kill(process, signal.SIGKILL)  # it may not lead a group yet
    os.waitpid(process, 0)


def run(work: Callable[[], int], said: Path, *, seconds: float = 300.0) -> End:
    """Do some work in a fork; what it says is kept in the folder `said`."""
    out, err = said / "out", said / "err"
    code = end(start(work, out, err), seconds)
    return End(code, *spoken(said))


def spoken(said: Path) -> tuple[str, str]:
    """Return what was said last on stdout and stderr."""
    out, err = (said / name for name in ("out", "err"))
    return out.read_text(errors="surrogateescape"), err.read_text(errors="surrogateescape")
