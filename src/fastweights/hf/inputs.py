"""Arguments of a forward of `transformers`: checks, the mask of real steps, and texts packed into rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Integer, Shaped
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.hf import packing
from fastweights.hf.cache import RecurrentCache
from fastweights.hf.packing import Packed
from fastweights.ops.tracing import may_look, traced

WITHOUT_MEANING = {"cache_position", "max_length_q", "max_length_k", "token_type_ids"}
"""Arguments of other models of `transformers` that have no effect here, and are accepted."""


def check_others(others: Mapping[str, object]) -> None:
    """Raise `UserError` for an argument that asks for something and would be passed over in silence."""
    for name, given in others.items():
        if given is not None and given is not False and name not in WITHOUT_MEANING:
            raise UserError(
                f"{name} is nothing that a fast weight model reads besides input_ids; leave it out"
            )


def check_tokens(tokens: Tensor | None, vocabulary: int) -> None:
    """Raise `UserError` unless the tokens are [batch, time] and, where looking takes no waiting, of the vocabulary."""
    if tokens is None or tokens.ndim != 2:
        found = "missing" if tokens is None else f"of shape {list(tokens.shape)}"
        raise UserError(f"input_ids are {found}; accepted: [batch, time], and no inputs_embeds")
    if tokens.numel() and may_look(tokens):
        low, high = (int(bound) for bound in torch.aminmax(tokens))
        if low < 0 or high >= vocabulary:
            raise UserError(
                f"token {low if low < 0 else high} is outside the model's vocabulary of "
                f"{vocabulary}; is the tokenizer another model's?"
            )


def check_cache(cache: object) -> None:
    """Raise `UserError` unless the cache, if there is one, holds a recurrent state."""
    if cache is not None and not isinstance(cache, RecurrentCache):
        raise UserError(f"the cache is a {type(cache).__name__}; accepted: a RecurrentCache")


def real_steps(
    tokens: Integer[Tensor, "batch time"], attention_mask: Tensor | None
) -> Bool[Tensor, "batch time"] | None:
    """Return which of these tokens are real, or None where all are known to be.

    Raises:
        UserError: for a mask of another shape, or of other numbers than 0 and 1.
    """
    if attention_mask is None:
        return None
    batch, time = tokens.shape
    shape = attention_mask.shape
    accepted = f"accepted: [{batch}, {time}] of 0 and 1"
    if len(shape) != 2 or shape[0] != batch or shape[1] < time:
        raise UserError(f"attention_mask has shape {list(shape)}; {accepted}")
    given = attention_mask[:, -time:]
    mask = given.bool()
    if traced():
        return mask
    if (mask != given).any():
        wrong = given[mask != given][0].item()
        raise UserError(f"attention_mask holds {wrong}; {accepted}")
    return None if mask.all() else mask


def packed_texts(
    tokens: Integer[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"] | None,
    *marks: Tensor | None,
) -> Packed | None:
    """Return the texts that `packing.find` finds in these rows; a row of one step has but one."""
    if all(given is None for given in marks) or tokens.shape[1] == 1:
        return None
    real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
    return packing.find(real, *marks)


def predicted_labels(
    labels: Integer[Tensor, "batch time"] | None,
    mask: Bool[Tensor, "batch time"] | None,
    packed: Packed | None,
) -> Integer[Tensor, "batch time"] | None:
    """Return labels without those that no step of their own text predicts: its first token, where more precedes it."""
    if labels is None or (mask is None and packed is None):
        return labels
    if packed is not None:
        labels = labels.masked_fill(packed.starts, -100)
    if mask is None:
        return labels
    behind_padding = ~nn.functional.pad(mask[:, :-1], (1, 0), value=True)
    return labels.masked_fill(behind_padding, -100)


def predicted_of(
    whole: float | Tensor | None, labels: Tensor, predicted: Tensor
) -> Shaped[Tensor, ""] | None:
    """Return how many labels of a whole batch are predicted, where its `whole` labels are as these are.

    Whoever counts the labels of a batch counts those too that nothing predicts. At least 1: a batch whose labels are
    all masked has a loss of 0, not 0 / 0.
    """
    if whole is None:
        return None
    counted, left = ((each[:, 1:] != -100).sum() for each in (labels, predicted))
    return (torch.as_tensor(whole, device=labels.device) * left / counted.clamp(min=1)).clamp(min=1)
