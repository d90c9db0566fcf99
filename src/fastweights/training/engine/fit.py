"""The one training engine: step, clip, NaN stop, evaluation, checkpoint, interrupt, resume."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from fastweights.io import stopping
from fastweights.nn.parts.mode import evaluating
from fastweights.runs import Run, environment
from fastweights.runs.checkpoint import MODEL, part, prefixed
from fastweights.training.engine import distributed, seeds, snapshot
from fastweights.training.engine.best_weights import BestWeights
from fastweights.training.engine.clock import Clock
from fastweights.training.engine.interrupt import Interrupt
from fastweights.training.engine.meter import Meter, NotFinite
from fastweights.training.engine.outcome import Diverged, Outcome
from fastweights.training.engine.progress import NoProgress, Progress
from fastweights.training.engine.settings import Settings
from fastweights.training.engine.source import Source
from fastweights.training.engine.step import Step
from fastweights.training.engine.wrapped import bare, check_loads

_PROGRESS_SECONDS = 0.1
_HELD_ON_DEVICE = 64
_log = logging.getLogger("fastweights.training")


def fit(
    model: nn.Module,
    source: Source,
    settings: Settings,
    run: Run,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train `model` on `source`; go on from the run's newest checkpoint if there is one.

    A run that was interrupted or killed and resumed ends with the same weights and the same metrics
    (apart from times) as one that was not, to the bit, on the same machine. Ctrl-C and SIGTERM
    finish the step, write a checkpoint and return; SIGUSR1 has it write one and go on. Torch's global
    generators are as before afterwards.

    Within `distributed.joined` each process trains on its share of every batch, and all stop at the
    same step. The first one writes, evaluates and reports to `progress`; the others wait meanwhile. A run
    may be resumed by another number of processes, though then not to the bit.

    Args:
        model: trained in place, moved to `settings.device`; put in training mode unless it is in it, modules that are
            in evaluation mode then staying there. It is left with the weights that are kept: the best evaluation's
            (`settings.keep`; not the start's, where nothing else was evaluated), or the averaged ones where there are
            any. Its weights are recorded without the names that `torch.compile` and the like put before them.
        source: batches, evaluation and their state.
        settings: how long and how to train.
        run: the folder for metrics and checkpoints; locked meanwhile.
        progress: the listener; None is silent.
        stop: asked after each step; True ends the run as Ctrl-C does.

    Returns:
        the outcome; `interrupted` if it was asked to stop.

    Raises:
        Diverged: if a loss or gradient is NaN or infinite; the last good checkpoint stays.
        UserError: if another process works on the run, the checkpoints are all damaged or of other settings,
            the model is another than the run's config describes, the disk is full, or steps cannot be recorded as
            CUDA graphs (`settings.graph`).
    """
    if progress is None or distributed.rank() > 0:
        progress = NoProgress()
    device, rank = torch.device(settings.device), distributed.rank()
    purpose = f"noise {rank}" if rank else "noise"  # other rows are dropped out otherwise
    noise = seeds.seeded_rng(device, settings.seed, purpose)
    with _only_writer(run), noise, Interrupt(stop) as interrupt:
        return _Training(model, source, settings, run, progress, interrupt).run_all()


@dataclass(eq=False)
class _Training:
    """The state of one call of `fit`."""

    model: nn.Module
    source: Source
    settings: Settings
    run: Run
    progress: Progress
    interrupt: Interrupt

    def __post_init__(self) -> None:
        settings, self.device = self.settings, torch.device(self.settings.device)
        self.bare = bare(self.model)
        check_loads(self.bare, self.run.config)
        self.model.to(self.device)
        if not self.model.training:
            self.model.train()  # else its modules are in the modes that the user chose
        self.step = Step(self.model, self.source, settings)
        self.optimiser = self.step.optimiser
        self.best = BestWeights(settings.keep)
        self.meter = Meter(hold=1 if self.device.type == "cpu" else _HELD_ON_DEVICE)
        self.clock = Clock()
        self.done = 0
        self.rows = 0
        self.finished = False
        self.saved: int | None = None

    def run_all(self) -> Outcome:
        self._resume()
        self.progress.start(self.done, self.settings.steps)
        try:
            if self.saved is None:
                self._evaluate()
            self._train()
        except NotFinite as trouble:
            kept = "no checkpoint had been written"
            if self.saved is not None:
                kept = f"the checkpoint of step {self.saved} is kept in {self.run.folder}"
            raise Diverged(trouble, kept) from trouble
        finally:
            self.progress.stop()
        weights = self._final_weights()
        if weights is not None:
            self.bare.load_state_dict(weights)
        rows = distributed.from_first(self.run.metrics)
        return Outcome(
            steps=self.done,
            seconds=self.clock.seconds,
            compile_seconds=self.clock.compile_seconds,
            metrics=rows[-1] if rows else {},
            history=rows,
            interrupted=not self.finished,
        )

    def _over(self) -> bool:
        """Return whether all steps are done, or the time for them is used up."""
        limit = self.settings.seconds
        return self.done >= self.settings.steps or (
            limit is not None and self.clock.seconds >= limit
        )

    def _train(self) -> None:
        settings = self.settings
        shown = saved = perf_counter()
        (self.finished,) = distributed.any_of(self._over())
        self.clock.start()
        while not (self.finished or any(distributed.any_of(self.interrupt.requested()))):
            self._step()
            now = perf_counter()
            self.finished, showing, saving = distributed.any_of(
                self._over(),
                now - shown >= _PROGRESS_SECONDS,
                now - saved >= settings.checkpoint_seconds or self.interrupt.save_requested(),
            )
            if showing:
                self.progress.update(self.done, self.meter.recent())
                shown = now
            if self.finished or settings.evaluates_at(self.done):
                self._evaluate()
            interval = settings.checkpoint_interval
            if saving or (interval is not None and self.done % interval == 0):
                self._save()
                saved = perf_counter()
        self.clock.stop()
        if self.saved != self.done:
            self._save()

    def _step(self) -> None:
        self.optimiser.switch_at(self.done)
        self.step.run(self._learning_rate(self.done), partial(self.meter.add, self.done + 1))
        self.done += 1

    def _evaluate(self) -> None:
        self.meter.flush()
        with self.clock.paused(), self.optimiser.averaged():
            row = distributed.from_first(self._log_evaluation)
            self.best.observe(self.done, row, self.bare)
        self.optimiser.observe(self.done, row, self.settings.evaluates_at(self.done))
        if self.finished:
            # The last step's outcome, which no further step would show.
            for name, value in row.items():
                if name.endswith("cross_entropy") and not math.isfinite(value):
                    raise NotFinite(self.done, name, value)
        self.meter.clear()

    def _log_evaluation(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "step": self.done,
            "seconds": self.clock.seconds,
            "compile_seconds": self.clock.compile_seconds,
            "learning_rate": self._learning_rate(max(0, self.done - 1)),
            **{f"train_{name}": mean for name, mean in self.meter.means().items()},
        }
        with evaluating(self.model), seeds.fork_rng(self.device), self.step.precision():
            row |= self.source.evaluate(self.model)
            row |= self.source.probe(self.model)
        self.run.log(row)
        self.rows += 1
        self.progress.evaluated(row)
        return row

    def _learning_rate(self, step: int) -> float:
        """Return the rate of a step, but for the source's own factor."""
        averaging, since = self.settings.averaging, self.optimiser.since
        if averaging is not None and since is not None and step >= since:
            return averaging.learning_rate
        return self.settings.learning_rate(step)

    def _final_weights(self) -> dict[str, Tensor] | None:
        """Return the weights that a user should get, where they are not those that training goes on with."""
        chosen = self.best.chosen()
        if chosen is not None or self.optimiser.since is None:
            return chosen
        with self.optimiser.averaged():
            return deepcopy(self.bare.state_dict())

    @stopping.orderly()
    def _save(self) -> None:
        self.meter.flush()
        with self.clock.paused():
            source_tensors, source_meta = self.source.state()
            optimiser, weights = self.optimiser.current, self._final_weights()
            tensors = snapshot.capture(self.bare, optimiser, self.device, weights)
            tensors |= prefixed("source", source_tensors)
            chosen = self.best.chosen() is not None
            if not chosen and self.best.weights is not None:
                tensors |= prefixed("best", self.best.weights)
            meta = {
                "source": source_meta,
                "meter": self.meter.state(),
                "seconds": self.clock.seconds,
                "compile_seconds": self.clock.compile_seconds,
                "settings": self.settings.record(),
                "averaging": self.optimiser.state(),
                "best": self.best.best,
                "evaluated": (self.best.step, self.best.latest),
                "finished": self.finished,
                "weights": self.best.step if chosen else self.done,
                "rows": self.rows,
            }
            distributed.from_first(lambda: self.run.save_checkpoint(self.done, tensors, meta))
            self.saved = self.done

    def _resume(self) -> None:
        found = distributed.from_first(self.run.load_checkpoint)
        if found is None:
            distributed.share_weights(self.bare)
            distributed.from_first(lambda: self.run.truncate_metrics(-1))
            return
        for change in environment.changes(self.run.config.get("versions")):
            _log.warning("resuming with %s: the last bits may differ", change)
        meta = found.meta
        self.settings.check_resumes(meta["settings"])
        self.optimiser.restore(meta["averaging"])
        best = part(found.tensors, "best") or part(found.tensors, MODEL)
        step, latest = meta.get("evaluated", (found.step, found.step))
        self.best.restore(meta["best"], (step, latest), best, self.bare)
        snapshot.restore(found.tensors, self.bare, self.optimiser.current, self.device)
        self.source.restore(part(found.tensors, "source"), meta["source"])
        self.meter.restore(meta["meter"])
        self.clock = Clock(meta["seconds"], meta["compile_seconds"])
        self.done = self.saved = found.step
        self.rows = distributed.from_first(lambda: self.run.go_on_from(found))


@contextmanager
def _only_writer(run: Run) -> Iterator[None]:
    """Hold the lock of a run in the process that writes it."""
    with ExitStack() as held:
        distributed.from_first(lambda: held.enter_context(run.lock) and run.clear_temporaries())
        yield
