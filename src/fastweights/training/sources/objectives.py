"""The loss of a source with what layers have of their own beside it."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.parts.auxiliary_loss import auxiliary_loss


def with_objectives(
    model: nn.Module,
    loss: Float[Tensor, ""],
    metrics: dict[str, Tensor],
    weight: float,
    *,
    named: str | None = "cross_entropy",
) -> Float[Tensor, ""]:
    """Add the objectives that the layers of a model left behind in its last forward; nothing where there are none.

    Args:
        model: that was just run.
        loss: the source's own.
        metrics: of the source; where there are objectives they are added, as `auxiliary`.
        weight: of the objectives; 0: they are not looked for.
        named: what the source's own loss is called in the metrics, where it is told from the sum; None: it is not.

    Example:
        >>> import torch
        >>> loss, metrics = torch.tensor(2.0), {}
        >>> with_objectives(nn.Linear(2, 2), loss, metrics, 1.0) is loss, metrics
        (True, {})
    """
    extra = auxiliary_loss(model) if weight else None
    if extra is None:
        return loss
    if named is not None:
        metrics[named] = loss.detach()
    metrics["auxiliary"] = extra.detach()
    return loss + weight * extra
