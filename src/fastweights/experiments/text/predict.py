"""Question a language model: the probability of each word of a text, or its perplexity on a whole file or split."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.plan import Record
from fastweights.experiments.text.options import TextTest, unit
from fastweights.experiments.text.testing import VALIDATION_ROWS, measure
from fastweights.models import SequenceModel
from fastweights.tasks import text_tokenizer
from fastweights.tasks.text_tokenizer import Tokenizer
from fastweights.tasks.text_words import count_words
from fastweights.training import perplexity
from fastweights.training.sources.text_loss import fitting

SPLITS = ("test", "valid")


class Encoded(NamedTuple):
    """A text as a model reads it.

    Attributes:
        tokens: Int64[tokens], behind the <eos> that every text begins after.
        unknown: words that stand as <unk> because the model does not know them, each once.
    """

    tokens: Int64[Tensor, " tokens"]
    unknown: list[str]


def open_model(folder: Path) -> tuple[SequenceModel, Tokenizer]:
    """Load a run's model and its tokenizer, which need no data.

    Raises:
        UserError: if the run does not record its tokenizer, or has another vocabulary than its model.
    """
    from fastweights import runs
    from fastweights.runs import Run

    tokenizer, model = tokenizer_of(folder, Run.open(folder).config), runs.load(folder)
    words, classes = len(tokenizer.vocabulary), model.config and model.config["classes"]
    if words != classes:
        raise UserError(
            f"{folder} has a model of {classes} words and a vocabulary of {words}: config.json was changed"
        )
    return model, tokenizer


def tokenizer_of(folder: Path, config: Record) -> Tokenizer:
    """Build the tokenizer again that a run was trained with.

    Raises:
        UserError: if the run does not record it.
    """
    record = config["task"].get("tokenizer")
    if not isinstance(record, dict):
        raise UserError(f"{folder} does not say in config.json which words it was trained on")
    return text_tokenizer.from_record(record)


def encode(tokenizer: Tokenizer, text: str) -> Encoded:
    """Encode a typed text as a model reads it: one or more words behind the end of another text.

    Raises:
        UserError: if it is empty or not UTF-8, or has a word that is not in the vocabulary and no <unk> stands for.
    """
    text = text.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError("the text is not UTF-8") from None
    if not text:
        raise UserError("the text is empty: it takes at least one word")
    tokens = tokenizer.encode(text)
    unknown_words: list[str] = []
    if tokenizer.unknown is not None:
        known = set(tokenizer.vocabulary)
        unknown_words = [word for word in dict.fromkeys(text.split()) if word not in known]
    return Encoded(torch.cat([torch.tensor([tokenizer.end]), tokens]), unknown_words)


def ask(folder: Path, data_dir: Path | None = None) -> Callable[[str], Record]:
    """Load a run that computes how likely each word of a typed text was, and which word was likelier.

    Each text is read from the zero state; a line's end is the word <eos>.

    Returns:
        a function from a text to: `text`, `words` (each a dict of `word`, `probability`, `bits`, `likeliest` and the
        `highest` probability, which is that word's), `perplexity` of a `unit` (a word, or a piece where the tokens
        are pieces), `bits_per_word`, `next`: what would come next, with its probability, and `unknown`: words read as
        <unk>. Where the tokens are pieces, so is what is called a word in `words` and `next`.
    """
    model, tokenizer = open_model(folder)
    return lambda text: _predicted(model, tokenizer, text)


@torch.no_grad()
def _predicted(model: SequenceModel, tokenizer: Tokenizer, text: str) -> Record:
    tokens, unknown_words = encode(tokenizer, text)
    logits, _ = model(tokens[None])
    chances = logits[0].float().log_softmax(-1)
    own = chances[:-1].gather(1, tokens[1:, None]).squeeze(1)
    highest, likeliest = chances.max(1)
    vocabulary = tokenizer.vocabulary
    words = [
        {
            "word": vocabulary[token],
            "probability": math.exp(chance),
            "bits": -chance / math.log(2),
            "likeliest": vocabulary[best],
            "highest": math.exp(most),
        }
        for token, chance, best, most in zip(
            tokens[1:].tolist(), own.tolist(), likeliest.tolist(), highest.tolist(), strict=False
        )
    ]
    return {
        "text": text,
        "words": words,
        "perplexity": perplexity(-float(own.mean())),
        "unit": unit(tokenizer.kind),
        "bits_per_word": -float(own.sum()) / math.log(2) / count_words(text.strip()),
        "next": {"word": vocabulary[int(likeliest[-1])], "probability": math.exp(highest[-1])},
        "unknown": unknown_words,
    }


def test(folder: Path, options: TextTest) -> Record:
    """Test a run on a whole split of its text, or on a file, which needs no data.

    Raises:
        UserError: also if the data has other words than those the run was trained on.
    """
    if options.file is not None:
        if options.split is not None:
            raise UserError("give either --split or --file, not both")
        return _test_file(folder, options.file)
    split = options.split or "test"
    check_choice("split", split, SPLITS)
    run = open_run(folder, options.data_dir)
    task = run.task
    tokens = task.split(split)
    own = {"test": int(run.plan["test_rows"]), "valid": VALIDATION_ROWS}[split]
    rows = fitting(len(tokens), own)
    found = _figures(run.model, tokens, split, rows, task.words[split], len(tokens))
    return {**run.about(), "split": split, "unit": unit(task.tokenizer.kind), **found}


def _test_file(folder: Path, file: Path) -> Record:
    from fastweights.data import text as texts

    model, tokenizer = open_model(folder)
    text = texts.read_file(file)
    # Behind the end of another text, so that the first word is predicted too.
    tokens = torch.cat([torch.tensor([tokenizer.end]), tokenizer.encode(text)])
    words, predicted = count_words(text), len(tokens) - 1
    found = _figures(model, tokens, file.name, 1, words, predicted)
    if tokenizer.unknown is not None:
        found["unknown_share"] = float((tokens == tokenizer.unknown).sum()) / predicted
    assert model.config is not None
    about = {"out": str(folder), "model": model.config["name"], "file": str(file)}
    return {**about, "unit": unit(tokenizer.kind), **found}


def _figures(
    model: SequenceModel,
    tokens: Int64[Tensor, " tokens"],
    title: str,
    rows: int,
    words: int,
    predicted: int,
) -> Record:
    """Measure a model on a text of so many words, for which so many tokens are predicted."""
    loss = measure(model, tokens, title, rows)[1.0]
    return {
        "words": words,
        "tokens": predicted,
        "rows": rows,
        "perplexity": perplexity(loss),
        "bits_per_word": loss / math.log(2) * predicted / words,
    }
