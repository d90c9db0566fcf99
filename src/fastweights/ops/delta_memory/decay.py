"""Decay α in every form that the op needs it: all that knows α's shape in plain PyTorch.

α is a number a step, or one for each feature of the key at each step ("channels"), which acts on the rows of F. For the
first a cumulative decay is a number for two steps; for the second it meets the keys: `channels`.

The cumulative decay of a chunk is [batch, chunk, 1 + chunk]: row t is after step t, column 0 for F(0), column i for
write i, 0 where i > t. It is a product of factors, each 1 or less as a rule.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from fastweights.errors import UserError
from fastweights.ops.arguments import check_fits
from fastweights.ops.tracing import is_open

Gate = Float[Tensor, "..."]
"""α as it is given: [*lead, time] or [*lead, time, key]."""


def check_decay(
    gate: Tensor,
    keys: tuple[Float[Tensor, "*lead time _"], ...],
    values: Float[Tensor, "*lead time value"],
) -> None:
    """Raise `UserError` unless α is a number for each step of the values, or for each feature of their one key."""
    steps = tuple(values.shape[:-1])
    if gate.dim() != values.dim():
        check_fits("gate", gate, steps, values, "values")
        return
    if len(keys) != 1:
        raise UserError(
            f"gate has shape {list(gate.shape)}: a decay for each feature of a key is for one key factor, not for two; "
            f"accepted: {list(steps)}"
        )
    check_fits("gate", gate, (*steps, keys[0].shape[-1]), values, "values")


def decay_kind(gate: Gate | None, values: Float[Tensor, "*lead time value"]) -> str | None:
    """Return what backends may refuse by.

    None for α = 1, "step" for a number a step [*lead, time], "channels" for one for each feature [*lead, time, key].
    """
    if gate is None:
        return None
    return "channels" if gate.dim() == values.dim() else "step"


def without_decay(gate: Gate, mask: Bool[Tensor, "batch time"]) -> Gate:
    """Return α with 1 where there is padding."""
    return gate.masked_fill(~(mask if gate.dim() == mask.dim() else mask.unsqueeze(-1)), 1)


def decayed(
    x: Float[Tensor, "batch ..."],
    gate: Float[Tensor, "batch ..."] | None,
) -> Float[Tensor, "batch ..."]:
    """Return α x, for F or for what remains of earlier writes, given a step's α."""
    return x if gate is None else gate.reshape(*gate.shape, *(1,) * (x.dim() - gate.dim())) * x


def cumulative_decay(gate: Float[Tensor, "batch chunk"]) -> Float[Tensor, "batch chunk past"]:
    """Return the cumulative decay of gates: a step's acts on all but its own write.

    Example:
        >>> cumulative_decay(torch.tensor([[2.0, 3.0]]))[0].tolist()
        [[2.0, 1.0, 0.0], [6.0, 3.0, 1.0]]
    """
    return spans(gate)[:, 1:]


def cumulative_clamp(factors: Float[Tensor, "batch chunk"]) -> Float[Tensor, "batch chunk past"]:
    """Return the cumulative decay of clamps: a step's acts on its own write too.

    Example:
        >>> cumulative_clamp(torch.tensor([[2.0, 3.0]]))[0].tolist()
        [[2.0, 2.0, 0.0], [6.0, 6.0, 3.0]]
    """
    each = spans(factors)[:, 1:]
    return torch.cat((each[:, :, :1], each[:, :, :-1]), 2).tril(1)


def spans(factors: Float[Tensor, "batch steps"]) -> Float[Tensor, "batch edges edges"]:
    """Return the products of factors i + 1 … t at (t, i), 1 on the diagonal, 0 above it.

    By doubling: no quotient and no logarithm, so a factor of 0 is as good as any, to the gradient too.

    Example:
        >>> spans(torch.tensor([[2.0, 3.0]]))[0].tolist()
        [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [6.0, 3.0, 1.0]]
    """
    edges = factors.shape[1] + 1
    below = factors.new_ones(edges, edges, dtype=torch.bool).tril(-1)
    product, width = torch.where(below, pad(factors, (1, 0)).unsqueeze(2), 1), 1
    if is_open(edges):  # no number of doublings
        return product.cumprod(1).tril()
    while width < edges:
        product = product * pad(product[:, :-width], (0, 0, width, 0), value=1.0)
        width *= 2
    return product.tril()
