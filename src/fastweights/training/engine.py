"""The one training engine: step, clip, NaN stop, evaluation, checkpoint, interrupt, resume."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import nn

from fastweights.errors import UserError
from fastweights.runs import Run, environment
from fastweights.training import distributed, seeds, snapshot
from fastweights.training.clock import Clock
from fastweights.training.interrupt import Interrupt
from fastweights.training.meter import Meter, NotFinite
from fastweights.training.optimiser import clip, global_norm
from fastweights.training.progress import NoProgress, Progress
from fastweights.training.settings import Settings
from fastweights.training.source import Source

_PROGRESS_SECONDS = 0.1
_HELD_ON_DEVICE = 64
_log = logging.getLogger("fastweights.training")


class Outcome(NamedTuple):
    """What came of a training run.

    Attributes:
        steps: done in all, over every process that worked on the run.
        seconds: of training steps: without kernel compilation, evaluations and checkpoints.
        compile_seconds: of kernel compilation.
        metrics: the last row of the run's metrics.
        history: all of them.
        interrupted: True if it was asked to stop before the last step.
    """

    steps: int
    seconds: float
    compile_seconds: float
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    interrupted: bool


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
    finish the step, write a checkpoint and return. Torch's global generators are as before
    afterwards.

    Within `distributed.joined` each process trains on its share of every batch, and all stop at the
    same step. The first one writes, evaluates and tells `progress`; the others wait meanwhile. A run
    may be resumed by another number of processes, though then not to the bit.

    Args:
        model: trained in place, moved to `settings.device`; left in training mode.
        source: batches, evaluation and their state.
        settings: how long and how to train.
        run: the folder for metrics and checkpoints; locked meanwhile.
        progress: told how it goes; None is silent.
        stop: asked after each step; True ends the run as Ctrl-C does.

    Returns:
        the outcome; `interrupted` if it was asked to stop.

    Raises:
        Diverged: if a loss or gradient is NaN or infinite; the last good checkpoint stays.
        UserError: if another process works on the run, the checkpoints are all damaged or of other settings,
            or the disk is full.
    """
    if progress is None or distributed.rank() > 0:
        progress = NoProgress()
    with _only_writer(run), _own_random_numbers(settings), Interrupt(stop) as interrupt:
        return _Training(model, source, settings, run, progress, interrupt).run_all()


class Diverged(UserError):
    """Training was stopped by a loss or gradient that is not finite.

    Attributes:
        step: the first step (from 1) at which it was not.
    """

    def __init__(self, trouble: NotFinite, kept: str) -> None:
        super().__init__(
            f"training stopped: {trouble}; {kept}; a lower learning rate or a smaller clip may help"
        )
        self.step = trouble.step


class _Training:
    """The state of one call of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        source: Source,
        settings: Settings,
        run: Run,
        progress: Progress,
        interrupt: Interrupt,
    ) -> None:
        self.device = torch.device(settings.device)
        self.model = model.to(self.device).train()
        self.source = source
        self.settings = settings
        self.run = run
        self.progress = progress
        self.interrupt = interrupt
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimiser = settings.optimiser.build(self.parameters)
        self.meter = Meter(hold=1 if self.device.type == "cpu" else _HELD_ON_DEVICE)
        self.clock = Clock()
        self.done = 0
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
        """Whether all steps are done, or the time that there is for them is used up."""
        limit = self.settings.seconds
        return self.done >= self.settings.steps or (
            limit is not None and self.clock.seconds >= limit
        )

    def _train(self) -> None:
        settings = self.settings
        told = saved = perf_counter()
        (self.finished,) = distributed.any_of(self._over())
        self.clock.start()
        while not (self.finished or any(distributed.any_of(self.interrupt.requested()))):
            self._step()
            now = perf_counter()
            self.finished, telling, saving = distributed.any_of(
                self._over(),
                now - told >= _PROGRESS_SECONDS,
                now - saved >= settings.checkpoint_seconds,
            )
            if telling:
                self.progress.update(self.done, self.meter.recent())
                told = now
            if self.finished or self.done % settings.evaluation_interval == 0:
                self._evaluate()
            interval = settings.checkpoint_interval
            if saving or (interval is not None and self.done % interval == 0):
                self._save()
                saved = perf_counter()
        self.clock.stop()
        if self.saved != self.done:
            self._save()

    def _step(self) -> None:
        settings = self.settings
        self.optimiser.param_groups[0]["lr"] = settings.learning_rate(self.done)
        loss, metrics = self.source.next_loss(self.model)
        loss.backward()
        readings = distributed.average(self.parameters, {"loss": loss.detach(), **metrics})
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        with torch.no_grad():
            norm = global_norm(gradients)
            # Noted before the weights move: on a CPU they never take a NaN.
            self.meter.note(self.done + 1, {**readings, "gradient_norm": norm})
            if settings.clip:
                clip(gradients, norm, settings.clip)
        self.optimiser.step()
        for weight in self.parameters:
            weight.grad = None
        self.done += 1

    def _evaluate(self) -> None:
        self.meter.settle()
        with self.clock.paused():
            distributed.from_first(self._log_evaluation)
        self.meter.clear()

    def _log_evaluation(self) -> None:
        row: dict[str, Any] = {
            "step": self.done,
            "seconds": self.clock.seconds,
            "compile_seconds": self.clock.compile_seconds,
            "learning_rate": self.settings.learning_rate(max(0, self.done - 1)),
            **{f"train_{name}": mean for name, mean in self.meter.means().items()},
        }
        self.model.eval()
        with _untouched_random_numbers(self.device):
            row |= self.source.evaluate(self.model)
            row |= self.source.probe(self.model)
        self.model.train()
        self.run.log(row)
        self.progress.evaluated(row)

    def _save(self) -> None:
        self.meter.settle()
        with self.clock.paused():
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        source_tensors, source_meta = self.source.state()
        tensors = snapshot.take(self.model, self.optimiser, self.device)
        tensors |= snapshot.prefixed("source", source_tensors)
        meta = {
            "source": source_meta,
            "meter": self.meter.state(),
            "seconds": self.clock.seconds,
            "compile_seconds": self.clock.compile_seconds,
            "settings": self.settings.record(),
        }
        distributed.from_first(lambda: self.run.save_checkpoint(self.done, tensors, meta))
        self.saved = self.done

    def _resume(self) -> None:
        found = distributed.from_first(self.run.load_checkpoint)
        if found is None:
            distributed.share_weights(self.model)
            distributed.from_first(lambda: self.run.truncate_metrics(-1))
            return
        for change in environment.changes(self.run.config.get("versions")):
            _log.warning("resuming with %s: the last bits may differ", change)
        meta = found.meta
        self.settings.check_resumes(meta["settings"])
        snapshot.put_back(found.tensors, self.model, self.optimiser, self.device)
        self.source.restore(snapshot.part(found.tensors, "source"), meta["source"])
        self.meter.restore(meta["meter"])
        self.clock = Clock(meta["seconds"], meta["compile_seconds"])
        self.done = self.saved = found.step
        distributed.from_first(lambda: self.run.truncate_metrics(found.step))


@contextmanager
def _only_writer(run: Run) -> Iterator[None]:
    """Hold the lock of a run in the process that writes it."""
    with ExitStack() as held:

        def take() -> None:
            held.enter_context(run.lock)

        distributed.from_first(take)
        yield


@contextmanager
def _own_random_numbers(settings: Settings) -> Iterator[None]:
    """Seed torch's global generators for a training run and give them back as they were."""
    rank = distributed.rank()
    purpose = f"noise {rank}" if rank else "noise"  # other rows are dropped out otherwise
    with _untouched_random_numbers(torch.device(settings.device)):
        torch.manual_seed(seeds.derive(settings.seed, purpose))
        yield


@contextmanager
def _untouched_random_numbers(device: torch.device) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
