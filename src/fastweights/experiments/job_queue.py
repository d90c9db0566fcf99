"""The runs that a study still lacks: what one command is at, another on the same folder of results leaves to it."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastweights.errors import Note, UserError
from fastweights.experiments.experiment import AnyExperiment
from fastweights.experiments.ledger import Ledger
from fastweights.experiments.study import Cell
from fastweights.io.atomic import no_folders_left, oserror_as_user_error

if TYPE_CHECKING:
    from fastweights.runs import Lock


class Job(NamedTuple):
    """One seed of one cell."""

    experiment: AnyExperiment
    cell: Cell
    seed: int
    folder: Path
    deadline: float
    show_progress: bool


class Claims:
    """Locks on pieces of work, in a folder; the system releases those of a process that dies.

    Args:
        folder: made with the first claim, removed with the last.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, Lock] = {}

    def take(self, name: str) -> bool:
        """Claim a piece of work, and return whether it was free."""
        from fastweights.runs import Lock

        with oserror_as_user_error("make", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(self.folder / hashlib.sha256(name.encode()).hexdigest()[:16])
        try:
            lock.__enter__()
        except UserError:
            return False
        if not lock.stands():  # its holder has just ended, and this piece of work with it
            lock.__exit__()
            return False
        self._held[name] = lock
        return True

    def release(self, name: str) -> None:
        """Release a claim that is held."""
        lock = self._held.pop(name)
        with suppress(OSError):  # an open file stays on Windows
            lock.path.unlink()
        lock.__exit__()
        with suppress(OSError):
            self.folder.rmdir()

    def release_all(self) -> None:
        """Release all claims."""
        for name in [*self._held]:
            self.release(name)


class Queue:
    """What is left to do: runs, each with its stages in order and claimed while this process is at it."""

    def __init__(self, todo: Sequence[Job], ledger: Ledger) -> None:
        self.ledger, self.claims = ledger, Claims(ledger.path.with_name(".claims"))
        self.waiting: dict[Path, list[Job]] = {}
        self.begun: dict[Path, list[Job]] = {}
        self.of_others = 0
        for job in todo:
            self.waiting.setdefault(job.folder, []).append(job)

    def next(self) -> Job | None:
        """Return the next stage that can be begun; None: there is none, or the time is over."""
        for folder in [*self.waiting]:
            jobs = self.waiting.pop(folder)
            if time.time() >= jobs[0].deadline:
                continue
            if not self.claims.take(str(folder)):
                self.of_others += 1
                continue
            self.ledger.refresh()
            jobs = [job for job in jobs if job.seed not in self.ledger.done(job.cell)]
            if jobs:
                self.begun[folder] = jobs
                return jobs[0]
            self.claims.release(str(folder))
        return None

    def end(self, job: Job) -> None:
        """Put a run's next stage first, or let others have the run."""
        self.claims.release(str(job.folder))
        later = self.begun.pop(job.folder)[1:]
        if later:
            self.waiting = {job.folder: later, **self.waiting}


@contextmanager
def queue_of(todo: Sequence[Job], ledger: Ledger) -> Iterator[Queue]:
    """Yield a queue, and warn of the runs that are left to other commands."""
    queue = Queue(todo, ledger)
    with no_folders_left(queue.claims.folder / "claim"):
        try:
            yield queue
        finally:
            queue.claims.release_all()
    if queue.of_others:
        runs = "a run is" if queue.of_others == 1 else f"{queue.of_others} runs are"
        warnings.warn(
            Note(
                f"{runs} another command's on these results: the same command again shows what came of it"
            ),
            stacklevel=2,
        )
