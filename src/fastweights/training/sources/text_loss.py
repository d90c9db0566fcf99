"""How well a model predicts a text, word by word, at one softmax temperature or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.models import SequenceModel
from fastweights.nn.parts.mode import evaluating
from fastweights.training.sources.linear_loss import fuses, logits_of

_PREDICTED_AT_ONCE = 1024
_SCORED_AT_ONCE = 1 << 18
"""Logits whose exponentials are taken while they lie in the cache."""


def rows_of(ids: Int[Tensor, " tokens"], rows: int) -> Int[Tensor, "rows steps"]:
    """Cut a text into rows of equal length that follow each other; what is left over at its end falls away.

    Raises:
        UserError: if a row has fewer than two tokens: nothing then follows anything.

    Example:
        >>> rows_of(torch.arange(7), 2).tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    steps = len(ids) // rows
    if steps < 2:
        raise UserError(
            f"a text of {len(ids)} tokens is too short for {rows} rows of at least two tokens each"
        )
    return ids[: rows * steps].view(rows, steps)


def parts_of(
    ids: Int[Tensor, " tokens"], rows: int
) -> tuple[Int[Tensor, "rows steps"], Int[Tensor, " rows"]]:
    """Cut a text into rows in which every token but the text's first is predicted once, however many there are.

    Returns:
        the rows, each beginning with the last token of the one before it, and how many tokens are predicted in each;
        what stands behind those is not to be counted.

    Raises:
        UserError: if there is nothing to predict in a row.

    Example:
        >>> rows, lengths = parts_of(torch.arange(6), 2)
        >>> rows.tolist(), lengths.tolist()
        ([[0, 1, 2, 3], [3, 4, 5, 5]], [3, 2])
    """
    predicted = len(ids) - 1
    if predicted < rows:
        raise UserError(
            f"a text of {len(ids)} tokens is too short for {rows} rows: {max(predicted, 0)} have one before them"
        )
    lengths = predicted // rows + (torch.arange(rows, device="cpu") < predicted % rows).long()
    starts = lengths.cumsum(0) - lengths
    places = starts[:, None] + torch.arange(int(lengths[0]) + 1, device="cpu")
    return ids[places.clamp(max=predicted).to(ids.device)], lengths


_ROW = 100
"""Tokens of a row at least: each begins with the zero state, so many short rows measure a model that remembers less."""


def fitting(tokens: int, rows: int) -> int:
    """Return the number of rows that a text is read in: fewer than wanted where they would have few tokens.

    Example:
        >>> fitting(1000, 10), fitting(350, 10), fitting(13, 10)
        (10, 3, 1)
    """
    return max(1, min(rows, tokens // _ROW))


@torch.no_grad()
def evaluate_words(
    model: nn.Module,
    ids: Int[Tensor, " tokens"],
    *,
    rows: int = 1,
    length: int | None = None,
    temperatures: Sequence[float] = (1.0,),
    on_progress: Callable[[int], object] = lambda done: None,
) -> dict[float, float]:
    """Measure a model on a text, read from the zero state in evaluation mode; every module keeps the mode it was in.

    The mean is exact: over every token but the first, in however many rows. (The program of Schlag et al. 2021 divides
    by one step more a row, so that what it prints is too low, by a share of 1 / steps of a row.)

    Args:
        model: called as `logits, state = model(tokens, state)`, on whatever device it is.
        ids: the text.
        rows: read side by side, each with a state of its own; 1 reads the text as it is.
        length: steps at once; None: as many as make about a thousand predictions. No number depends on it.
        temperatures: of the softmax, > 0: the logits are divided by it.
        on_progress: called with the number of tokens predicted so far.

    Returns:
        each temperature's mean cross-entropy of a token, in nats.

    Raises:
        UserError: on a text too short for its rows, or a number that cannot be.

    Example:
        >>> from fastweights import models
        >>> model = models.from_config(models.model_config("lstm", input=8, hidden=4, classes=8))
        >>> sorted(evaluate_words(model, torch.arange(8), temperatures=(0.9, 1.1)))
        [0.9, 1.1]
    """
    if rows < 1 or (length is not None and length < 1):
        raise UserError(f"rows and length must be at least 1, not {rows} and {length}")
    if not temperatures or not all(0 < each < math.inf for each in temperatures):
        raise UserError(f"temperatures must be positive, not {tuple(temperatures)}")
    text, own = parts_of(ids, rows)
    steps = text.shape[1] - 1
    length = length or max(1, _PREDICTED_AT_ONCE // rows)
    device = next(model.parameters()).device
    sums = torch.zeros(len(temperatures), dtype=torch.float64, device="cpu")
    state = None
    with evaluating(model):
        for start in range(0, steps, length):
            stop = min(start + length, steps)
            segment = text[:, start : stop + 1].to(device)
            counted = (
                (torch.arange(start, stop, device="cpu") < own[:, None])
                .flatten()
                .nonzero()[:, 0]
                .to(device)
            )
            targets = segment[:, 1:].flatten()[counted]
            if isinstance(model, SequenceModel) and fuses(model.head):
                features, state = model(segment[:, :-1], state, apply_head=False)
                head = model.head.weight, model.head.bias
                for some, logits in logits_of(features.flatten(0, 1)[counted], *head):
                    sums += _losses(logits, targets[some], temperatures)
            else:
                logits, state = model(segment[:, :-1], state)
                sums += _losses(logits.flatten(0, 1)[counted], targets, temperatures).cpu()
            on_progress(int(own.clamp(max=stop).sum()))
    means = (sums / (len(ids) - 1)).tolist()
    return dict(zip(temperatures, means, strict=True))


def _losses(
    logits: Float[Tensor, "predicted classes"],
    targets: Int[Tensor, " predicted"],
    temperatures: Sequence[float],
) -> Float[Tensor, " temperatures"]:
    """Add up the cross-entropy at each temperature; a block of logits is worked on for all of them at once."""
    sums = logits.new_zeros(len(temperatures), dtype=torch.float64)
    block = max(1, _SCORED_AT_ONCE // logits.shape[1])
    for part, right in zip(logits.split(block), targets[:, None].split(block), strict=True):
        part = part if part.dtype == torch.float64 else part.float()
        part = part - part.amax(1, keepdim=True)
        of_right, space = part.gather(1, right), torch.empty_like(part)
        for place, temperature in enumerate(temperatures):
            scaled = part if temperature == 1 else torch.div(part, temperature, out=space)
            total = torch.exp(scaled, out=space).sum(1, keepdim=True)
            sums[place] += (total.log() - of_right / temperature).double().sum()
    return sums
