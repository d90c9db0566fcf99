"""The loss of a source with the auxiliary losses of a model's layers added."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.parts.auxiliary_loss import auxiliary_loss


def add_auxiliary_loss(
    model: nn.Module,
    loss: Float[Tensor, ""],
    metrics: dict[str, Tensor],
    weight: float,
    *,
    named: str | None = "cross_entropy",
) -> Float[Tensor, ""]:
    """Add the auxiliary losses that the layers of a model left behind in its last forward, where there are any.

    Args:
        model: that was just run.
        loss: the source's own.
        metrics: of the source; auxiliary losses are added to them, as `auxiliary`.
        weight: of the auxiliary losses; 0: they are not looked for.
        named: what the source's own loss is called in the metrics beside its sum with them; None: it is left out.

    Example:
        >>> import torch
        >>> loss, metrics = torch.tensor(2.0), {}
        >>> add_auxiliary_loss(nn.Linear(2, 2), loss, metrics, 1.0) is loss, metrics
        (True, {})
    """
    extra = auxiliary_loss(model) if weight else None
    if extra is None:
        return loss
    if named is not None:
        metrics[named] = loss.detach()
    metrics["auxiliary"] = extra.detach()
    return loss + weight * extra
