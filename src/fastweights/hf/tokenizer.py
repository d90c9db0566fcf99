"""The tokenizer of a text as one of `transformers`."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

from fastweights.tasks import text_tokenizer
from fastweights.tasks.text_pieces import Pieces
from fastweights.tasks.text_words import EOS

# What `str.split` splits at; the tokenizers' own idea of white space lacks the separators \x1c to \x1f.
_SPACE = r"[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"


def pretrained_tokenizer(record: Mapping[str, object]) -> PreTrainedTokenizerFast:
    """Build a `PreTrainedTokenizerFast` that turns text into the same tokens as `text_tokenizer.from_record`.

    <eos> stands for the end of a line, begins and ends what is generated, and pads, in front; the attention mask
    says what is padding. It is put before every text, unless `add_special_tokens=False`: a model was trained to read
    what comes behind the end of something else. A word is decoded with the space before it, so that what is
    generated can be put behind its prompt.

    Args:
        record: what a tokenizer's `record()` gave.

    Raises:
        UserError: if it is no such record.

    Example:
        >>> tokenizer = pretrained_tokenizer({"kind": "words", "vocabulary": ["<unk>", "<eos>", "the", "cat"]})
        >>> tokenizer("the cat\\nthe dog")["input_ids"]
        [1, 2, 3, 1, 2, 0]
        >>> tokenizer.decode([2, 3, 1, 2, 0])
        ' the cat\\n the <unk>'
    """
    made = text_tokenizer.from_record(record)
    library = _pieces(made) if isinstance(made, Pieces) else _words(made)
    library.post_processor = processors.TemplateProcessing(
        single=f"{EOS} $A", pair=f"{EOS} $A {EOS} $B", special_tokens=[(EOS, made.end)]
    )
    end = AddedToken(EOS, normalized=True, special=True)  # as a line feed becomes one
    return PreTrainedTokenizerFast(
        tokenizer_object=library,
        bos_token=end,
        eos_token=end,
        pad_token=end,
        padding_side="left",
        split_special_tokens=not isinstance(
            made, Pieces
        ),  # among words it is a word like others, and no part of one
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def _words(words: text_tokenizer.Tokenizer) -> Tokenizer:
    """Words between spaces. <unk> is no special token: it is a word of the texts, not for a decoder to leave out."""
    index = {word: token for token, word in enumerate(words.vocabulary)}
    unknown = {} if words.unknown is None else {"unk_token": words.vocabulary[words.unknown]}
    library = Tokenizer(models.WordLevel(index, **unknown))
    library.normalizer = normalizers.Replace("\n", f" {EOS} ")
    library.pre_tokenizer = pre_tokenizers.Split(Regex(_SPACE), "removed")
    spaced = decoders.Replace(Regex("^"), " ")
    library.decoder = decoders.Sequence(
        [spaced, decoders.Replace(f" {EOS}", "\n"), decoders.Fuse()]
    )
    return library


def _pieces(pieces: Pieces) -> Tokenizer:
    """Pieces of words as they are, but for <eos>, which is decoded to the byte of a line feed."""
    library = pieces.library
    (line_feed,) = (token for token, _ in library.pre_tokenizer.pre_tokenize_str("\n"))
    library.decoder = decoders.Sequence([decoders.Replace(EOS, line_feed), library.decoder])
    return library
