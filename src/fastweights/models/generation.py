"""Text generation: the prompt in one pass, then one step a word from the carried state."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError
from fastweights.models.sequence_model import SequenceModel


def generate(
    model: SequenceModel,
    prompt: Int[Tensor, "batch time"],
    count: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    state: object = None,
) -> Iterator[Int[Tensor, " batch"]]:
    """Continue texts, one word at a time.

    What the model keeps between two words is its state, so memory and time per word are the same at
    the first word and at the millionth. No row depends on what stands in the others.

    Args:
        model: a language model, whose classes are the words it reads; put into evaluation mode.
        prompt: [batch, time], at least one word.
        count: how many words to generate, ≥ 0.
        temperature: divides the logits, ≥ 0; 0 takes the likeliest word.
        top_k: draw among so many likeliest words, ≥ 1; None: all.
        top_p: draw among the fewest likeliest words (of the `top_k`) that have this probability
            together, above 0 to 1; None: all.
        generator: of the draws, on the model's device; None: torch's global one.
        state: that the prompt is read from, as an earlier call of the model returned it; None means zeros.

    Returns:
        an iterator over `count` words of each row, on the prompt's device.

    Raises:
        UserError: at once, for a value out of range or an empty prompt.

    Example:
        >>> import fastweights
        >>> model = fastweights.models.from_config(
        ...     fastweights.models.model_config("fwm", input=7, hidden=8, classes=7, embedding=5)
        ... )
        >>> words = generate(model, torch.tensor([[1, 2, 3]]), 4, temperature=0)
        >>> [word.shape for word in words] == [(1,)] * 4
        True
    """
    if not 0 <= temperature < math.inf:
        raise UserError(f"temperature must be from 0 to below infinity, not {temperature:g}")
    if top_k is not None and top_k < 1:
        raise UserError(f"top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise UserError(f"top_p must be above 0 and at most 1, not {top_p:g}")
    if count < 0:
        raise UserError(f"the number of words must not be negative, not {count}")
    if prompt.ndim != 2:
        raise UserError(f"the prompt has shape {list(prompt.shape)}; accepted: [batch, time]")
    if not prompt.shape[1]:
        raise UserError("the prompt is empty: a text begins with at least one word")
    model.eval()
    return _words(model, prompt, count, (temperature, top_k, top_p), generator, state)


@torch.no_grad()
def _words(
    model: SequenceModel,
    prompt: Int[Tensor, "batch time"],
    count: int,
    narrowing: tuple[float, int | None, float | None],
    generator: torch.Generator | None,
    state: object,
) -> Iterator[Int[Tensor, " batch"]]:
    if not count:
        return
    device = next(model.parameters()).device
    logits, state = model(prompt.to(device), state, last_only=True)
    word = _sample(logits, *narrowing, generator)
    yield word.to(prompt.device)
    for _ in range(count - 1):
        logits, state = model.step(word, state)
        word = _sample(logits, *narrowing, generator)
        yield word.to(prompt.device)


def _sample(
    logits: Float[Tensor, "batch classes"],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    generator: torch.Generator | None,
) -> Int[Tensor, " batch"]:
    if temperature == 0:
        return logits.argmax(-1)
    chances, words = filter_logits(logits, temperature, top_k, top_p)
    place = torch.multinomial(chances, 1, generator=generator)
    return (place if words is None else words.gather(-1, place)).squeeze(-1)


def filter_logits(
    logits: Float[Tensor, "batch classes"],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> tuple[Float[Tensor, "batch chosen"], Int[Tensor, "batch chosen"] | None]:
    """Return the words that top-k and top-p leave, likeliest first, and their probabilities up to a factor.

    Args:
        logits: of the next word.
        temperature: above 0.
        top_k: how many words are left; None: all.
        top_p: of these the fewest that have this probability together; the others have 0. None: all.

    Returns:
        the weights and the words; None for the words where all are left, in their own order.

    Source: top-p is nucleus sampling, Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020.

    Example:
        >>> logits = torch.tensor([[0.1, 0.6, 0.3]]).log()
        >>> chances, words = filter_logits(logits, 1.0, None, 0.7)
        >>> words.tolist(), (chances > 0).tolist()
        ([[1, 2, 0]], [[True, True, False]])
    """
    words = None
    if top_k is not None and top_k < logits.shape[-1]:
        logits, words = logits.topk(top_k)
    elif top_p is not None:
        logits, words = logits.sort(dim=-1, descending=True)
    # The largest taken off first: at a temperature near 0 it would overflow.
    logits = logits.float() - logits.amax(-1, keepdim=True).float()
    chances = (logits / temperature).softmax(-1)
    if top_p is not None:
        before = chances.cumsum(-1) - chances
        chances = chances * (before < top_p)
    return chances, words
