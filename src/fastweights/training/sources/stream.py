"""Endless streams: truncated back-propagation through time with a carried state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.models import SequenceModel
from fastweights.training.engine import distributed, seeds, snapshot
from fastweights.training.sources import carried
from fastweights.training.sources.objectives import with_objectives
from fastweights.training.sources.source import Reading


@runtime_checkable
class Segment(Protocol):
    """A piece of every row of a stream, a named tuple: what `fastweights.tasks` puts out. All are [rows, length]."""

    @property
    def tokens(self) -> Tensor:
        """What comes in."""
        ...

    @property
    def targets(self) -> Tensor:
        """What is to be said at each step."""
        ...

    @property
    def tasks(self) -> Tensor:
        """The number of the task that each step belongs to."""
        ...

    @property
    def answers(self) -> Tensor:
        """True where the target is the answer to a question."""
        ...

    @property
    def mask(self) -> Tensor:
        """True at real steps; False past the end of a row."""
        ...


@runtime_checkable
class Rows(Protocol):
    """The training streams: as many rows as a batch has, each endless, none mixed with another."""

    def next(self, length: int) -> Segment: ...

    def state(self) -> dict[str, Tensor]:
        """Give the place in each row, as tensors [rows, …]."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None: ...


@runtime_checkable
class Score(Protocol):
    """Adds up how well answers were predicted."""

    def add(self, logits: Tensor, targets: Tensor, task_ids: Tensor) -> None: ...

    def metrics(self) -> Mapping[str, Reading]: ...


@runtime_checkable
class StreamTask(Protocol):
    """A task that is one long text with answers in it."""

    def streams(self, rows: int, *, seed: int = 0, first_row: int = 0) -> Rows: ...

    def segments(self, split: str, rows: int, length: int) -> Iterable[Segment]: ...

    def score(self) -> Score: ...


class Stream:
    """A task of endless streams as a `Source`: the state after a segment is the next one's start.

    Args:
        task: for example `fastweights.tasks.CatBAbI`.
        batch: rows, each a stream of its own; each of several processes has its share of them.
        length: steps of a segment, over which gradients flow.
        mode: "qa": the loss is that of the answers; "lm": that of every step.
        seed: of the order of the stories.
        device: where the segments go; the model's.
        validation_rows: rows into which the validation text is cut.
        validation_segments: how many segments of `length` steps of each of these rows are evaluated
            during training; None: all.
        start: what an evaluation starts from: "zeros", or "row": the state that training has
            carried in row 0, as Schlag et al. 2021 do.
        auxiliary: weight of the loss that a backbone has of its own (`auxiliary_loss`).

    Raises:
        UserError: on a number below 1, a batch that cannot be shared out, or an unknown mode.
    """

    def __init__(
        self,
        task: StreamTask,
        *,
        batch: int = 32,
        length: int = 200,
        mode: Literal["qa", "lm"] = "qa",
        seed: int = 0,
        device: str = "cpu",
        validation_rows: int = 64,
        validation_segments: int | None = None,
        start: Literal["zeros", "row"] = "zeros",
        auxiliary: float = 0.0,
    ) -> None:
        sizes = {"batch": batch, "length": length, "validation_rows": validation_rows}
        for name, size in {**sizes, "validation_segments": validation_segments}.items():
            if size is not None and size < 1:
                raise UserError(f"{name} must be at least 1, not {size}")
        if mode not in ("qa", "lm"):
            raise UserError(f"mode must be qa or lm, not {mode!r}")
        own = distributed.share(batch)
        self.task, self.mode, self.length, self.batch = task, mode, length, len(own)
        self.device = torch.device(device)
        self.rows = task.streams(len(own), seed=seeds.derive(seed, "training"), first_row=own.start)
        self.validation_rows, self.validation_segments = validation_rows, validation_segments
        self.start, self.auxiliary = start, auxiliary
        self.carried: Any = None
        self._restored: list[Tensor] | None = None

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Take the next segment of every row: its mean cross-entropy, and the answers' accuracy.

        In one of several processes both are sums over its own rows, divided by its share of what there
        is to say in all rows.
        """
        segment = _moved(self.rows.next(self.length), self.device)
        chosen = segment.answers if self.mode == "qa" else segment.mask
        logits, state = _logits(model, segment.tokens, self._start_of(model), chosen)
        self.carried = states.detach(state)
        targets = segment.targets[chosen]
        right = logits.detach().argmax(1) == targets
        if self.mode == "lm":
            right = right[segment.answers[chosen]]
        said, answers = (
            max(1, count) / distributed.world()
            for count in distributed.total(len(targets), len(right))
        )
        loss = F.cross_entropy(logits, targets, reduction="sum") / said
        metrics = {"accuracy": right.sum() / answers}
        return with_objectives(model, loss, metrics, self.auxiliary), metrics

    def evaluate(self, model: nn.Module) -> Mapping[str, Reading]:
        """Score the model on the validation text."""
        start = None
        if self.start == "row" and self.carried is not None:
            start = states.select(self.carried, torch.zeros(self.validation_rows, dtype=torch.long))
        segments = self.task.segments("valid", self.validation_rows, self.length)
        return evaluate_stream(
            model, self.task.score(), segments, state=start, limit=self.validation_segments
        )

    def probe(self, model: nn.Module) -> Mapping[str, float]:
        """Nothing: a stream has no probe batch."""
        return {}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Give the place in the streams and the carried state."""
        named = carried.named(tuple(self._restored) if self._restored else self.carried)
        rows = {f"rows.{name}": tensor for name, tensor in self.rows.state().items()}
        return distributed.gather_rows({**rows, **named}), {}

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to that place."""
        own = distributed.own_rows(tensors)
        self.rows.restore(snapshot.part(own, "rows"))
        self._restored = carried.found(own)

    def _start_of(self, model: nn.Module) -> Any:
        """The state to go on from; after a restore, put together in the form the model has it."""
        if self._restored:
            self.carried = carried.rebuilt(self._restored, model, self.batch)
        self._restored = None
        return self.carried


@torch.no_grad()
def evaluate_stream(
    model: nn.Module,
    score: Score,
    segments: Iterable[Segment],
    *,
    state: Any = None,
    limit: int | None = None,
    told: Any = lambda done: None,
) -> Mapping[str, Reading]:
    """Score a model on a text in segments, in evaluation mode; it is left in the mode it was in.

    Args:
        model: called as `model(tokens, state)`, on whatever device it is.
        score: adds up the answers.
        segments: one after the other, the state carried from each to the next.
        state: of the start; None means zeros.
        limit: how many segments; None: all.
        told: called with the number of segments done.

    Returns:
        the score's metrics.
    """
    training = model.training
    device = next(model.parameters()).device
    model.eval()
    try:
        for done, segment in enumerate(segments):
            if done == limit:
                break
            segment = _moved(segment, device)
            logits, state = _logits(model, segment.tokens, state, segment.answers, segment.mask)
            asked = segment.answers
            score.add(
                logits.float().cpu(), segment.targets[asked].cpu(), segment.tasks[asked].cpu()
            )
            told(done + 1)
    finally:
        model.train(training)
    return score.metrics()


def _logits(
    model: nn.Module,
    tokens: Tensor,
    state: Any,
    chosen: Bool[Tensor, "rows length"],
    mask: Bool[Tensor, "rows length"] | None = None,
) -> tuple[Float[Tensor, "chosen classes"], Any]:
    """Run any model with `logits, state = model(tokens, state)`; the library's own compute no more than asked for."""
    if not isinstance(model, SequenceModel):
        logits, state = model(tokens, state)
        return logits[chosen], state
    if mask is not None and mask.all():
        mask = None
    if chosen.all():
        logits, state = model(tokens, state, mask=mask)
        return logits.flatten(0, 1), state
    return model(tokens, state, at=chosen, mask=mask)


def _moved(segment: Any, device: torch.device) -> Any:
    return type(segment)(*(field.to(device) for field in segment))
