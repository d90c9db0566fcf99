"""Tokenizers: as the papers' programs, back and forth, rebuilt from plain values, and slips."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import text_tokenizer, text_words
from fastweights.tasks.text_pieces import Pieces
from fastweights.tasks.text_words import Words

TEXT = "the cat sat\n\nthe cät saw the dog ; the dog sat\n" * 3
TEXTS = st.text(st.sampled_from("ab ä\t\n\x85\u2028€🙂<>")) | st.text()
MADE = {kind: text_tokenizer.learn(kind, TEXT) for kind in text_tokenizer.KINDS}


def as_published(text: str) -> list[str]:
    """Words as the papers' programs cut them: line by line, each with <eos>."""
    lines = text.split("\n")
    words = [word for line in lines[:-1] for word in [*line.split(), "<eos>"]]
    return words + lines[-1].split()


@pytest.fixture(params=[1, 7, 1 << 20])
def block(request, monkeypatch):
    monkeypatch.setattr(text_words, "_BLOCK", request.param)


@given(text=TEXTS)
def test_words_are_cut_as_in_the_papers_programs(text):
    expected = as_published(text)
    words = Words.learn(text)
    order = list(dict.fromkeys(expected))
    assert list(words.vocabulary[: len(order)]) == order
    assert [words.vocabulary[token] for token in words.encode(text)] == expected
    assert text_words.count_words(text) == len(expected)


def test_words_do_not_depend_on_the_blocks(block):
    words = Words.learn(TEXT)
    assert words.vocabulary[:4] == ("the", "cat", "sat", "<eos>") and len(words.vocabulary) == 9
    assert [words.vocabulary[token] for token in words.encode(TEXT)] == as_published(TEXT)
    assert text_words.count_words(TEXT) == len(as_published(TEXT))


def test_pieces_do_not_depend_on_the_blocks(block):
    assert Pieces.learn(TEXT).record() == MADE["bpe"].record()
    ids = MADE["bpe"].encode(TEXT)
    assert MADE["bpe"].decode(ids) == TEXT and len(ids) < len(TEXT) / 3


@given(text=TEXTS)
def test_pieces_give_back_the_very_text(text):
    text = text.replace("<eos>", "")
    tokens = MADE["bpe"].encode(text)
    assert MADE["bpe"].decode(tokens) == text
    assert int((tokens == MADE["bpe"].end).sum()) == text.count("\n")


@given(text=st.text(st.sampled_from("a b\n")))
def test_words_give_back_the_text_but_for_its_spaces(text):
    words = Words.learn(text)
    said = words.decode(words.encode(text))
    assert as_published(said) == as_published(text)
    assert " \n" not in said and "\n " not in said


@pytest.mark.parametrize("kind", text_tokenizer.KINDS)
def test_a_line_feed_and_eos_are_one(kind):
    made = MADE[kind]
    assert made.encode("\n").tolist() == made.encode("<eos>").tolist() == [made.end]
    assert made.vocabulary[made.end] == "<eos>" and made.encode("").numel() == 0
    assert made.encode("").dtype == torch.int64 and made.decode([]) == ""


@pytest.mark.parametrize("kind", text_tokenizer.KINDS)
def test_a_record_rebuilds_it(kind):
    made = MADE[kind]
    again = text_tokenizer.from_record(json.loads(json.dumps(made.record())))
    assert isinstance(again, text_tokenizer.Tokenizer) and type(again) is type(made)
    assert (again.vocabulary, again.end, again.unknown) == (
        made.vocabulary,
        made.end,
        made.unknown,
    )
    text = "a cat\nthe cat sat <eos> 🙂\n"
    assert again.encode(text).tolist() == made.encode(text).tolist()
    assert again.record() == made.record()


def test_frequent_words_are_kept_and_equal_ones_by_their_order():
    assert Words.learn("d c c b b a\n", 5).vocabulary == ("d", "c", "b", "<eos>", "<unk>")
    assert Words.learn("d c c b b a\n", 4).vocabulary == ("c", "b", "<eos>", "<unk>")
    assert Words.learn("d c c b b a\n", 3).vocabulary == ("c", "<eos>", "<unk>")


def test_pieces_are_as_many_as_asked_for():
    assert Pieces.learn(TEXT, 262).vocabulary == MADE["bpe"].vocabulary[:262]
    bytes_alone = Pieces.learn(TEXT, 257)
    assert bytes_alone.record()["merges"] == []
    assert len(bytes_alone.encode(TEXT)) == len(TEXT.encode())
    assert 262 < len(MADE["bpe"].vocabulary) < 300
    assert MADE["bpe"].unknown is None


def test_a_letter_that_lacks_a_byte_is_told_as_such():
    half = MADE["bpe"].encode("🙂")[:-1]
    assert MADE["bpe"].decode(half) == "�"


def test_a_vocabulary_without_unk_names_the_word():
    words = Words(["<eos>", "the", "cat"])
    assert words.unknown is None
    with pytest.raises(UserError, match="'dog' is not one of the 3 known words"):
        words.encode("the cat\nthe dog")


RECORDS = {
    "no kind": ({}, "unknown tokenizer 'None'"),
    "another kind": ({"kind": "word"}, "did you mean 'words'"),
    "no words": ({"kind": "words"}, "no list of words as its vocabulary"),
    "no list": ({"kind": "words", "vocabulary": 5}, "no list of words as its vocabulary"),
    "no word": ({"kind": "words", "vocabulary": [["a"]]}, "no list of words as its vocabulary"),
    "a word twice": ({"kind": "words", "vocabulary": ["<eos>", "a", "a"]}, "each word once"),
    "no end": ({"kind": "words", "vocabulary": ["a"]}, "has <eos>"),
    "no merges": ({"kind": "bpe", "vocabulary": ["a"]}, "no list of words as its merges"),
    "a piece twice": ({**MADE["bpe"].record(), "vocabulary": ["a", "a"]}, "each piece once"),
    "no byte": ({**MADE["bpe"].record(), "vocabulary": ["a", "<eos>"]}, "every byte, and <eos>"),
    "a lost piece": (
        {**MADE["bpe"].record(), "vocabulary": MADE["bpe"].vocabulary[:-1]},
        "joins no two pieces",
    ),
    "three in one": ({**MADE["bpe"].record(), "merges": ["t h e"]}, "'t h e' joins no two"),
}


@pytest.mark.parametrize("slip", RECORDS)
def test_records_that_are_none(slip):
    record, complaint = RECORDS[slip]
    with pytest.raises(UserError, match=complaint):
        text_tokenizer.from_record(record)


@pytest.mark.parametrize("kind", text_tokenizer.KINDS)
def test_slips(kind):
    with pytest.raises(UserError, match=r"is too small: .*<eos>"):
        text_tokenizer.learn(kind, TEXT, {"words": 2, "bpe": 256}[kind])
    for number in (-1, len(MADE[kind].vocabulary)):
        with pytest.raises(UserError, match=f"tokens are 0 to .*, not {number}"):
            MADE[kind].decode(torch.tensor([0, number]))


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    record = MADE["bpe"].record()
    for make in (lambda: Pieces.learn(TEXT), lambda: text_tokenizer.from_record(record)):
        with pytest.raises(UserError, match=r'pip install "fastweights\[text\]"'):
            make()
