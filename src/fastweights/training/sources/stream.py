"""Endless streams: truncated back-propagation through time with a carried state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Literal, Protocol, runtime_checkable

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
from fastweights.training.engine.source import Reading
from fastweights.training.sources.auxiliary import add_auxiliary_loss
from fastweights.training.sources.carried import Carried


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


class Stream(Carried):
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

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the mean cross-entropy of the next segment of every row, weighted, and the answers' accuracy.

        In one of several processes both are sums over its own rows, divided by its share of the targets of
        all rows.
        """
        segment = self.rows.next(self.length)
        chosen = segment.answers if self.mode == "qa" else segment.mask
        moved = states.to((segment.tokens, *_targets(segment, chosen)), self.device, **self._moving)
        tokens, targets, asked, answered = moved
        logits, state = _logits(model, tokens, self.start_state(model), chosen)
        self.carry(state)
        right = (logits.detach().argmax(1) == targets)[answered]
        steps, answers = distributed.total(len(targets), len(right))
        # Exactly the number of steps where an answer counts as one.
        predicted = max(1, steps + (self.answer_weight - 1) * answers) / distributed.world()
        answers = max(1, answers) / distributed.world()
        if self.answer_weight == 1:
            loss = F.cross_entropy(logits, targets, reduction="sum") / predicted
        else:
            each = F.cross_entropy(logits, targets, reduction="none")
            loss = torch.where(asked, self.answer_weight * each, each).sum() / predicted
        metrics = {"accuracy": right.sum() / answers}
        return add_auxiliary_loss(model, loss, metrics, self.auxiliary), metrics

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
            logits, state = _logits(model, segment.tokens, state, asked, segment.mask)
            score.add(
                logits.float().cpu(), segment.targets[asked].cpu(), segment.tasks[asked].cpu()
            )
            on_progress(done)
    return score.metrics()


def _targets(
    segment: Segment, chosen: Bool[Tensor, "rows length"]
) -> tuple[Int[Tensor, " chosen"], Bool[Tensor, " chosen"], Int[Tensor, " answers"]]:
    """Return the targets of chosen steps, which of them are answers, and their places among the chosen.

    Where the segment was made, on the processor: how many there are, a device would have to be waited for.
    """
    asked = segment.answers[chosen]
    return segment.targets[chosen], asked, asked.nonzero().squeeze(1)


def _logits(
    model: nn.Module,
    tokens: Tensor,
    state: object,
    chosen: Bool[Tensor, "rows length"],
    mask: Bool[Tensor, "rows length"] | None = None,
) -> tuple[Float[Tensor, "chosen classes"], object]:
    """Run any model with `logits, state = model(tokens, state)`; the library's own compute no more than asked for.

    `chosen` and `mask` may be on the processor, beside tokens on a device: nothing is waited for then.
    """
    if not isinstance(model, SequenceModel):
        logits, state = model(tokens, state)
        return logits[chosen], state
    if mask is not None and mask.all():
        mask = None
    if chosen.all():
        logits, state = model(tokens, state, mask=mask)
        return logits.flatten(0, 1), state
    return model(tokens, state, at=chosen, mask=mask)
