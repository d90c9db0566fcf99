"""An auxiliary loss for associative retrieval: the state at the question looks like that at its key, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fastweights.tasks import Retrieval
from fastweights.tasks.retrieval import Batch
from fastweights.training import Supervised

TEMPERATURE = 0.1
"""Of the cosines: one that is .1 above another is e times as likely."""


class Contrastive(Supervised[Batch]):
    """Associative retrieval with a weighted contrastive loss; with weight 0 the same as without.

    Args:
        task, options: of `Supervised`.
        contrast: weight of the loss, ≥ 0.
    """

    def __init__(
        self, task: Sequence[tuple[int, Retrieval]], *, contrast: float, **options: Any
    ) -> None:
        super().__init__(task, **options)
        self.contrast = contrast

    def loss(
        self, model: nn.Module, batch: Batch
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        if not self.contrast:
            return super().loss(model, batch)
        states, _ = model(self.task.inputs(batch), need_state=False, apply_head=False)
        logits = model.get_submodule("head")(states[:, -1])
        loss = F.cross_entropy(logits, batch.answer)
        contrast = contrastive_loss(states, batch.slot)
        accuracy = (logits.detach().argmax(1) == batch.answer).float().mean()
        metrics = {
            "accuracy": accuracy,
            "cross_entropy": loss.detach(),
            "auxiliary": contrast.detach(),
        }
        return loss + self.contrast * contrast, metrics, None


def contrastive_loss(
    states: Float[Tensor, "batch time hidden"], slot: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the right key among all, by the cosine of its state with the one at the question.

    The keys stand at every second step; behind n pairs come `??`, and the letter that is asked for.

    Args:
        states: h after every symbol.
        slot: which pair is asked for.

    Example:
        >>> import torch
        >>> states = torch.eye(4)[[0, 3, 1, 3, 2, 2, 0]][None]  # two pairs, the question as the first key
        >>> bool(contrastive_loss(states, torch.tensor([0])) < contrastive_loss(states, torch.tensor([1])))
        True
    """
    pairs = (states.shape[1] - 3) // 2
    keys, question = states[:, 0 : 2 * pairs : 2], states[:, 2 * pairs + 2]
    cosines = F.cosine_similarity(keys, question[:, None], dim=2)
    return F.cross_entropy(cosines / TEMPERATURE, slot)
