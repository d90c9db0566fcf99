"""Accuracy and perplexity on answers, as a whole and task by task, collected piece by piece."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError

WITHOUT = 3
"""The task whose train file is often not to be had whole; a mean without it stands beside the mean."""

_MAX_NATS = 700.0
"""Nats beyond which a perplexity overflows a float: that of a diverged model stays there."""


def perplexity(cross_entropy: float) -> float:
    """Return e to the mean cross-entropy of a word, in nats.

    Example:
        >>> round(perplexity(math.log(50)), 6)
        50.0
    """
    return math.exp(min(cross_entropy, _MAX_NATS))


class Score:
    """Scores of answers, added up as they come.

    Args:
        tasks: the numbers that `add` may be given.

    Example:
        >>> score = Score((1, 3))
        >>> score.add(torch.eye(4)[[2, 0]], torch.tensor([2, 1]), torch.tensor([1, 3]))
        >>> score.metrics()["accuracy"], score.metrics()["per_task_accuracy"]
        (0.5, [1.0, 0.0])
    """

    def __init__(self, tasks: Sequence[int]) -> None:
        self._tasks = tuple(tasks)
        self._sums = torch.zeros(3, max(self._tasks) + 1, dtype=torch.float64, device="cpu")

    def add(
        self,
        logits: Float[Tensor, "answers classes"],
        targets: Int[Tensor, " answers"],
        task_ids: Int[Tensor, " answers"],
    ) -> None:
        """Add answers, on any device, of which the targets are the right words.

        Raises:
            UserError: for a task that is not scored.
        """
        logits, targets, ids = logits.detach().cpu().double(), targets.cpu(), task_ids.cpu()
        right = (logits.argmax(1) == targets).double()
        loss = F.cross_entropy(logits, targets, reduction="none")
        strange = set(ids.unique().tolist()) - set(self._tasks)
        if strange:
            raise UserError(f"task {min(strange)} is not one of those scored: {self._tasks}")
        self._sums.index_add_(1, ids, torch.stack([torch.ones_like(right), right, loss]))

    def metrics(self) -> dict[str, float | int | list[float | None] | None]:
        """Compute the scores so far.

        Returns:
            over all answers `accuracy`, 0 to 1, `cross_entropy` in nats, `perplexity` and the number of `answers`;
            `accuracy_without_task_3`; in the order of the tasks `per_task_accuracy` and `per_task_perplexity`.
            None stands for a mean over no answers.

        Raises:
            UserError: if there are no answers yet.
        """
        by_task = {task: self._sums[:, task].tolist() for task in self._tasks}
        count, right, loss = (sum(sums) for sums in zip(*by_task.values(), strict=True))
        if not count:
            raise UserError("there are no answers to score")
        others = [sums for task, sums in by_task.items() if task != WITHOUT]
        return {
            "accuracy": right / count,
            "perplexity": perplexity(loss / count),
            "cross_entropy": loss / count,
            "accuracy_without_task_3": _mean(sum(s[1] for s in others), sum(s[0] for s in others)),
            "per_task_accuracy": [_mean(s[1], s[0]) for s in by_task.values()],
            "per_task_perplexity": [
                perplexity(s[2] / s[0]) if s[0] else None for s in by_task.values()
            ],
            "answers": int(count),
        }


def classification_metrics(
    logits: Float[Tensor, "count classes"],
    answer: Int[Tensor, " count"],
    name: str,
    group: Int[Tensor, " count"],
    *,
    kind: str,
    classes: int,
    groups: int,
) -> dict[str, float | list[float]]:
    """Compute `accuracy`, 0 to 1, `cross_entropy` in nats, and the accuracy of each group (0 for an empty one).

    Raises:
        UserError: if there is nothing of its kind to score, or the logits are not its own.

    Example:
        >>> answer, logits = torch.tensor([1, 0]), torch.tensor([[0.0, 9.0], [0.0, 9.0]])
        >>> found = classification_metrics(logits, answer, "digit", answer, kind="images", classes=2, groups=2)
        >>> found["per_digit_accuracy"]
        [0.0, 1.0]
    """
    count, shape = len(answer), list(logits.shape)
    if not count:
        raise UserError(f"there are no {kind} to score")
    if shape != [count, classes]:
        raise UserError(f"logits of {count} {kind} have shape [{count}, {classes}], not {shape}")
    right = (logits.argmax(1) == answer).double()
    counts = torch.bincount(group, minlength=groups)
    hits = torch.bincount(group, weights=right, minlength=groups)
    return {
        "accuracy": float(right.mean()),
        "cross_entropy": float(F.cross_entropy(logits.double(), answer)),
        f"per_{name}_accuracy": (hits / counts.clamp(min=1)).tolist(),
    }


def _mean(total: float, count: float) -> float | None:
    return total / count if count else None
