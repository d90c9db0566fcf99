"""Encoders: tokens in, vectors out."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from fastweights.nn.parts.checks import check_range, check_tensor, check_tokens
from fastweights.nn.parts.constants import Constants
from fastweights.nn.parts.dropout import VariationalDropout, drop_rows
from fastweights.nn.parts.plain import is_plain


class OneHot(Constants):
    """Integer classes as one-hot vectors, in the dtype and on the device the module was moved to.

    Args:
        classes: how many classes there are.

    Example:
        >>> OneHot(3)(torch.tensor([[2, 0]])).tolist()
        [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    """

    identity: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("identity", torch.eye(classes), persistent=False)

    def fill(self, device: torch.device | None = None) -> None:
        like = self.identity
        self.identity = torch.eye(self.classes, dtype=like.dtype, device=device or like.device)

    def forward(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape classes"]:
        if self.identity.is_meta and not tokens.is_meta:  # no parameter says where it belongs
            self.fill(tokens.device)
        return F.embedding(tokens, self.identity)

    def extra_repr(self) -> str:
        return str(self.classes)


class DroppedEmbedding(nn.Embedding):
    """A learned embedding that loses whole words and elements of the vectors in training.

    A dropped word is 0 wherever it occurs in the call; a dropped element is 0 at all steps of its
    row. What is left is scaled up so that the mean stays. Otherwise it is `torch.nn.Embedding`.

    Args:
        classes: how many classes there are.
        size: features of a vector.
        words: the probability that a class is dropped, 0 to 1.
        elements: the probability that an element of a row's vectors is dropped, 0 to 1.

    Raises:
        UserError: for a probability outside its range.

    Source: Merity, Keskar & Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018
    (embedding dropout and the variational dropout after it); Schlag et al. 2021, appendix F.4.

    Example:
        >>> embedding = DroppedEmbedding(5, 3, words=0.5)
        >>> tokens = torch.tensor([[2, 0]])
        >>> torch.equal(embedding.eval()(tokens), embedding.weight[tokens])
        True
    """

    def __init__(
        self, classes: int, size: int, *, words: float = 0.0, elements: float = 0.0
    ) -> None:
        check_range("words", words, 0, 1)
        check_range("elements", elements, 0, 1)
        super().__init__(classes, size)
        self.words = words
        self.elements = VariationalDropout(elements)

    def forward(self, input: Int[Tensor, "*batch time"]) -> Float[Tensor, "*batch time size"]:
        return self.elements(F.embedding(input, drop_rows(self.weight, self.words, self.training)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, words={self.words}"


def encode(encoder: nn.Module, x: Shaped[Tensor, ...]) -> Float[Tensor, ...]:
    """Run an encoder; tokens are checked first.

    Raises:
        UserError: for tokens that are no integers, or outside the encoder's range.

    Example:
        >>> encode(OneHot(3), torch.tensor([2, 0])).shape
        torch.Size([2, 3])
    """
    check_tensor(type(encoder).__name__, "input", x)
    if isinstance(encoder, OneHot):
        check_tokens("OneHot", x, encoder.classes)
    elif isinstance(encoder, nn.Embedding):
        check_tokens(type(encoder).__name__, x, encoder.num_embeddings)
    return encoder(x)


def is_lookup(encoder: nn.Module) -> TypeGuard[nn.Embedding]:
    """Return whether an encoder does nothing but look rows of its weight up, forward and backward.

    Example:
        >>> is_lookup(nn.Embedding(3, 4)), is_lookup(nn.Embedding(3, 4, max_norm=1.0))
        (True, False)
        >>> dropped = DroppedEmbedding(3, 4, words=0.1)
        >>> is_lookup(dropped.train()), is_lookup(dropped.eval())
        (False, True)
    """
    if not is_plain(encoder, (nn.Embedding, DroppedEmbedding)):
        return False
    if isinstance(encoder, DroppedEmbedding):
        if not is_plain(encoder.elements, (VariationalDropout,)):
            return False
        return not (encoder.training and (encoder.words or encoder.elements.rate))
    return (
        isinstance(encoder, nn.Embedding)
        and encoder.padding_idx is None
        and encoder.max_norm is None
        and not (encoder.scale_grad_by_freq or encoder.sparse)
    )
