"""Endless streams: truncated back-propagation through time with a carried state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError, check_at_least
from fastweights.models import SequenceModel
from fastweights.nn.parts.mode import evaluating
from fastweights.runs.checkpoint import part, prefixed
from fastweights.tasks import Segment
from fastweights.training.engine import distributed, seeds
from fastweights.training.engine.source import BatchSource, Reading
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.carried import Carried

_PADDED = 64
"""On a device, steps that are predicted come in multiples of so many."""
_NO_TARGET = -100
"""What cross-entropy leaves out."""


@runtime_checkable
class Rows(Protocol):
    """The training streams: as many rows as a batch has, each endless, none mixed with another."""

    def next(self, length: int) -> Segment: ...

    def state(self) -> dict[str, Tensor]:
        """Return the place in each row, as tensors [rows, …]."""
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


_Targets = tuple[Int[Tensor, " chosen"] | None, Int[Tensor, " chosen"], Bool[Tensor, " chosen"]]


class Predicted(NamedTuple):
    """A segment as a model learns from it.

    Attributes:
        tokens: the input.
        places: of the steps that are predicted, counted row by row; None: all. A few may be there twice.
        targets: of these steps; `_NO_TARGET` where one is there again.
        asked: which of the targets are answers.
        predicted, answers: what the loss and the right answers are divided by.
        state: that the segment begins with.
    """

    tokens: Int[Tensor, "rows length"]
    places: Int[Tensor, " chosen"] | None
    targets: Int[Tensor, " chosen"]
    asked: Bool[Tensor, " chosen"]
    predicted: Float[Tensor, ""]
    answers: Float[Tensor, ""]
    state: object


class Stream(Carried, BatchSource):
    """A task of endless streams as a `Source`: the state after a segment is the next one's start.

    Args:
        task: for example `fastweights.tasks.CatBAbI`.
        batch: rows, each a stream of its own; each of several processes has its share of them.
        length: steps of a segment, over which gradients flow.
        mode: "qa": the loss is that of the answers; "lm": that of every step.
        answer_weight: in mode "lm", how many other steps an answer counts as in the loss; more than 0.
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
        answer_weight: float = 1.0,
        seed: int = 0,
        device: str = "cpu",
        validation_rows: int = 64,
        validation_segments: int | None = None,
        start: Literal["zeros", "row"] = "zeros",
        auxiliary: float = 0.0,
    ) -> None:
        check_at_least(1, batch=batch, length=length, validation_rows=validation_rows)
        check_at_least(1, validation_segments=validation_segments)
        if mode not in ("qa", "lm"):
            raise UserError(f"mode must be qa or lm, not {mode!r}")
        if not 0 < answer_weight < math.inf:
            raise UserError(f"answer_weight must be a number above 0, not {answer_weight}")
        if mode == "qa" and answer_weight != 1:
            raise UserError("answers alone are learnt in mode qa: answer_weight is of mode lm")
        self.answer_weight = answer_weight
        own = distributed.share(batch)
        super().__init__(batch=len(own))
        self.task, self.mode, self.length = task, mode, length
        self.device = torch.device(device)
        self._moving = {"non_blocking": self.device.type == "cuda"}
        self.rows = task.streams(len(own), seed=seeds.derive(seed, "training"), first_row=own.start)
        self.validation_rows, self.validation_segments = validation_rows, validation_segments
        self.start, self.auxiliary = start, auxiliary

    def next_batch(self, model: nn.Module) -> Predicted:
        """Return the next segment of every row, what is to be predicted of it, and the state it begins with.

        In one of several processes it is divided by its share of the targets of all rows.
        """
        segment = self.rows.next(self.length)
        chosen = segment.answers if self.mode == "qa" else segment.mask
        found, counts = _targets(segment, chosen, _multiple(self.device))
        steps, answers = distributed.total(*counts)
        # Exactly the number of steps where an answer counts as one.
        predicted = max(1, steps + (self.answer_weight - 1) * answers)
        shares = torch.tensor([predicted, max(1, answers)], dtype=_wide(self.device))
        moved = states.to((segment.tokens, *found), self.device, **self._moving)
        shares = (shares / distributed.world()).to(self.device)
        return Predicted(*moved, shares[0], shares[1], self.start_state(model))

    def loss(
        self, model: nn.Module, batch: Predicted
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        """Compute a segment's mean cross-entropy, weighted, and the answers' accuracy.

        In one of several processes both are sums over its own rows, divided by its share of the targets of
        all rows.
        """
        logits, state = _logits(model, batch.tokens, batch.state, batch.places)
        right = (logits.detach().argmax(1) == batch.targets) & batch.asked
        if self.answer_weight == 1:
            loss = F.cross_entropy(logits, batch.targets, reduction="sum")
        else:
            each = F.cross_entropy(logits, batch.targets, reduction="none")
            loss = torch.where(batch.asked, self.answer_weight * each, each).sum()
        loss = loss / batch.predicted.to(loss.dtype)
        metrics = {"accuracy": right.sum() / batch.answers.float()}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics, state

    def evaluate(self, model: nn.Module) -> Mapping[str, Reading]:
        """Score the model on the validation text."""
        start = None
        if self.start == "row" and self.carried is not None:
            first = torch.zeros(self.validation_rows, dtype=torch.long, device="cpu")
            start = states.select(self.carried, first)
        segments = self.task.segments("valid", self.validation_rows, self.length)
        return evaluate_stream(
            model, self.task.score(), segments, state=start, limit=self.validation_segments
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the place in the streams and the carried state."""
        rows = prefixed("rows", self.rows.state())
        return distributed.gather_rows(rows | self.carried_tensors()), {}

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        own = distributed.own_rows(tensors)
        self.rows.restore(part(own, "rows"))
        self.restore_carried(own)


@torch.no_grad()
def evaluate_stream(
    model: nn.Module,
    score: Score,
    segments: Iterable[Segment],
    *,
    state: object = None,
    limit: int | None = None,
    on_progress: Callable[[int], object] = lambda done: None,
) -> Mapping[str, Reading]:
    """Score a model on a text in segments, in evaluation mode; every module is left in the mode it was in.

    Args:
        model: called as `model(tokens, state)`, on whatever device it is.
        score: adds up the answers.
        segments: one after the other, the state carried from each to the next.
        state: of the start; None means zeros.
        limit: how many segments; None: all.
        on_progress: called with the number of segments done.

    Returns:
        the score's metrics.
    """
    device = next(model.parameters()).device
    with evaluating(model):
        for done, segment in enumerate(islice(segments, limit), start=1):
            segment = states.to(segment, device)
            asked = segment.answers
            places = None if asked.all() else asked.flatten().nonzero().squeeze(1)
            mask = None if segment.mask.all() else segment.mask
            logits, state = _logits(model, segment.tokens, state, places, mask)
            score.add(
                logits.float().cpu(), segment.targets[asked].cpu(), segment.tasks[asked].cpu()
            )
            on_progress(done)
    return score.metrics()


def _multiple(device: torch.device) -> int:
    """Return of what the number of predicted steps is a multiple: few shapes, for each of which a graph is recorded."""
    return 1 if device.type == "cpu" else _PADDED


def _wide(device: torch.device) -> torch.dtype:
    return torch.float64 if device.type == "cpu" else torch.float32  # Apple's have no float64


def _targets(
    segment: Segment, chosen: Bool[Tensor, "rows length"], multiple: int
) -> tuple[_Targets, tuple[int, int]]:
    """Return the places of chosen steps (None: all), their targets, which of them are answers; and how many are.

    They are filled up to a multiple of a number with a step whose target is none. Where the segment was made, on the
    processor: how many there are, a device would have to be waited for.
    """
    targets, asked = segment.targets[chosen], segment.answers[chosen]
    counts = len(targets), int(asked.sum())
    if chosen.all():
        return (None, targets, asked), counts
    places = chosen.flatten().nonzero().squeeze(1)
    more = 0, -len(places) % multiple
    filled = F.pad(places, more), F.pad(targets, more, value=_NO_TARGET), F.pad(asked, more)
    return filled, counts


def _logits(
    model: nn.Module,
    tokens: Tensor,
    state: object,
    places: Int[Tensor, " chosen"] | None,
    mask: Bool[Tensor, "rows length"] | None = None,
) -> tuple[Float[Tensor, "chosen classes"], object]:
    """Run any model with `logits, state = model(tokens, state)`; the library's own compute no more than asked for.

    `places` count row by row; None: all.
    """
    if isinstance(model, SequenceModel):
        logits, state = model(tokens, state, places=places, mask=mask)
        return (logits if places is not None else logits.flatten(0, 1)), state
    logits, state = model(tokens, state)
    logits = logits.flatten(0, 1)
    return (logits if places is None else logits[places]), state
