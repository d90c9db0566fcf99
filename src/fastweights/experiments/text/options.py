"""Options of a word language model."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastweights.data.text import CORPORA
from fastweights.experiments.options import (
    BackboneOptions,
    DataOptions,
    MemoryOptions,
    OptimiserOptions,
    RunOptions,
    TimeOptions,
)
from fastweights.io.cache import expanded

if TYPE_CHECKING:
    from fastweights.tasks import Text


@dataclass(frozen=True, kw_only=True)
class TextOptions(
    TimeOptions, MemoryOptions, BackboneOptions, OptimiserOptions, DataOptions, RunOptions
):
    """Train a word language model (Schlag et al. 2021, section 4.3) on Penn Treebank, WikiText-2 or any text.

    Settings that are not given are the preset's, the same for awd-lstm and awd-fwm. On several cores or GPUs:
    torchrun --nproc-per-node N -m fastweights train text …
    """

    data: tuple[str, ...] = ("ptb",)
    """ptb, wikitext-2, one text file (cut by its lines into 90, 5 and 5 %), or three: train, valid, test."""
    model: str = "awd-fwm"
    """Backbone; `fastweights list` shows them all."""
    preset: Literal["small", "paper"] = "small"
    """Settings of what is left out. `small`: below 5M weights, minutes; `paper`: the authors', for a GPU and days."""
    tokenizer: Literal["words", "bpe"] = "words"
    """`words`: what stands between spaces. `bpe`: frequent pieces of words (needs the extra `text`)."""
    vocabulary: int | None = None
    """Most words or pieces in the vocabulary. [default: all words, 8192 pieces]"""
    epochs: int | None = None
    """How often the text is read, your own short one more often; a run of constant rate can be resumed with more."""
    minutes: float | None = None
    """End after this much training, if the epochs do not end before; the rate is then constant."""
    embedding: int | None = None
    """Size of the word embedding, which the softmax shares."""
    hidden: int | None = None
    """Hidden units of each layer but the last, which has as many as the embedding."""
    layers: int | None = None
    """Layers; in awd-fwm the last has the memory."""
    word_dropout: float | None = None
    """The probability that a word's whole embedding is dropped."""
    input_dropout: float | None = None
    """The probability that a feature of the embeddings is dropped, for all steps of a row."""
    hidden_dropout: float | None = None
    """The same between the layers."""
    output_dropout: float | None = None
    """The same of the last layer's output."""
    recurrent_dropout: float | None = None
    """The probability that a recurrent weight is dropped."""
    activation: float | None = None
    """Weight of the loss on large outputs (AR)."""
    slowness: float | None = None
    """Weight of the loss on outputs that change from step to step (TAR)."""
    batch: int | None = None
    """Rows that are read side by side."""
    length: int | None = None
    """Steps of truncated back-propagation through time, on average about; each segment's length is drawn."""
    learning_rate: float | None = None
    """Peak learning rate; a step's is multiplied by its length ÷ --length."""
    warmup: int | None = None
    """Steps of linear warm-up, at most a tenth of the run."""
    weight_decay: float | None = None
    """Weight decay, decoupled in adamw."""
    averaging_epoch: int | None = None
    """Go over to averaged SGD after this epoch; by default never in `small`."""
    averaging_patience: int | None = None
    """Go over when the validation loss is above the best of all but so many last epochs (Merity et al. 2018)."""
    averaging_rate: float | None = None
    """Learning rate of averaged SGD."""
    test_rows: int | None = None
    """Rows that the test text is read in; 1 is exact."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: matrix products in half as many bits, for GPUs."""

    limits = ("minutes", "epochs")
    of_test = ("test_rows",)

    def __post_init__(self) -> None:
        # A run finds its files again from any folder.
        data = (each if each in CORPORA else str(expanded(each).absolute()) for each in self.data)
        object.__setattr__(self, "data", tuple(data))

    def task(self) -> Text:
        """Load the task."""
        return _task(self.data_dir, self.data, self.tokenizer, self.vocabulary)


@dataclass(frozen=True, kw_only=True)
class TextTest(DataOptions):
    """Options of a test of a run."""

    split: Annotated[str | None, "test on this split: test or valid [default: test]"] = None
    file: Annotated[Path | None, "test on this file instead of a split"] = None


@functools.lru_cache(maxsize=2)
def _task(
    data_dir: Path | None, data: tuple[str, ...], tokenizer: str, vocabulary: int | None
) -> Text:
    from fastweights.tasks import Text

    return Text(data, data_dir, tokenizer=tokenizer, vocabulary_size=vocabulary)


def text_name(data: tuple[str, ...]) -> str:
    """Return a short name of a text.

    Example:
        >>> text_name(("ptb",)), text_name(("me/letters.txt",)), text_name(("emma/1.txt", "emma/2.txt", "emma/3.txt"))
        ('ptb', 'letters', 'emma')
    """
    if data[0] in CORPORA:
        return data[0]
    file = Path(data[0])
    return (file.stem if len(data) == 1 else file.parent.name) or "text"


def unit(kind: str) -> str:
    """Return what a token of a kind of tokenizer is called.

    Example:
        >>> unit("words"), unit("bpe")
        ('word', 'piece')
    """
    return "word" if kind == "words" else "piece"
