"""Every slip in a typed sequence is named; nothing wrong passes, nothing right is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import symbols
from fastweights.tasks.symbols import SYMBOLS, decode, encode

SLIPS = [
    ("", "empty"),
    ("   ", "empty"),
    ("c9k8??ä", "symbol 7 is 'ä'"),
    ("c9 k8??c", "symbol 3 is ' '"),
    ("c9k8??z", "asks for 'z', which never occurred: its keys are c, k"),
    ("9ck8??c", "symbol 1 is '9' where a letter belongs"),
    ("ckk8??c", "symbol 2 is 'k' where a digit belongs"),
    ("c9?8??c", r"symbol 3 is '\?' where a letter belongs"),
    ("c9k??c", "the letter 'k' before the .. has no digit"),
    ("c9k8c", r"lacks the \?\?"),
    ("c9k8?c", r"lacks the \?\?"),
    ("c9k8??", "must end in"),
    ("c9k8??9", "must end in"),
    ("c9k8??c?", r"the paper form"),
    ("c9k8???c", "must end in"),
    ("c9k8??cc", "must end in"),
    ("??c", "no pairs"),
    ("a1" * 27 + "??a", "27 pairs; at most 26"),
]


@pytest.mark.parametrize(("typed", "complaint"), SLIPS)
def test_slips_are_named(typed, complaint):
    with pytest.raises(UserError, match=complaint) as caught:
        encode(typed, "paper")
    assert "\n" not in str(caught.value)


def test_forms_end_differently():
    assert decode(encode("c9k8??c?", "trailing-read")) == "c9k8??c?"
    for typed in ("c9k8??c", "c9k8??c??", "c9k8??cc", "c9k8???"):
        with pytest.raises(UserError, match=r"\?\?, a letter and one more \?"):
            encode(typed, "trailing-read")


@given(text=st.text(alphabet=[*SYMBOLS, *"???", "C", "é"], max_size=12) | st.text(max_size=6))
@settings(max_examples=400, deadline=None)
def test_whatever_passes_is_a_sequence(text):
    """Held against a plain reading of the grammar, written independently of the parser."""
    given_ = text.strip().lower()
    keys, values = given_[:-3:2], given_[1:-3:2]
    legal = (
        len(given_) >= 5
        and len(given_) % 2 == 1
        and given_.isascii()
        and given_[-3:-1] == "??"
        and (keys + given_[-1]).isalpha()
        and values.isdigit()
        and given_[-1] in keys
    )
    if legal:
        assert decode(encode(text, "paper")) == given_
    else:
        with pytest.raises(UserError):
            encode(text, "paper")


@given(tokens=st.lists(st.integers(0, 36), max_size=20))
def test_decode_spells_the_symbols(tokens):
    assert decode(torch.tensor(tokens, dtype=torch.long)) == "".join(SYMBOLS[t] for t in tokens)


@pytest.mark.parametrize("token", [-1, 37])
def test_tokens_out_of_range(token):
    with pytest.raises(UserError, match=f"0 to 36, not {token}"):
        decode(torch.tensor([0, token]))


def test_alphabet():
    assert SYMBOLS == "abcdefghijklmnopqrstuvwxyz0123456789?" and len(SYMBOLS) == 37
    assert SYMBOLS[symbols.QUESTION] == "?"
