"""Texts packed into one row: each gets what it would get alone, or the call is refused."""

import pytest
import torch
from transformers import DataCollatorWithFlattening

from fastweights import models
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM
from fastweights.hf.model import CACHE

TEXTS = [[1, 2, 3, 4], [5, 6, 7], [8], [9, 1, 2, 3, 4]]
ENDS = [4, 7, 8, 13]
POSITIONS = torch.tensor([[place for text in TEXTS for place in range(len(text))]])
MARKS = {
    "position_ids": {"position_ids": POSITIONS},
    "seq_idx": {"seq_idx": torch.tensor([[0] * 4 + [1] * 3 + [2] + [3] * 5])},
    "cu_seq_lens": {"cu_seq_lens_q": torch.tensor([0, *ENDS]), "max_length_q": 5},
    "cu_seq_lens_k": {"cu_seq_lens_k": torch.tensor([0, *ENDS], dtype=torch.int32)},
}


@pytest.fixture
def packed():
    return torch.tensor([[token for text in TEXTS for token in text]])


def build(backbone="deltanet", **others):
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "hidden_size": 8, "embedding_size": 8}
    return FastWeightForCausalLM(FastWeightConfig(backbone=backbone, **sizes, **others)).eval()


def assert_alone(model, logits):
    """Each text's logits are those of a forward of it alone."""
    for text, end in zip(TEXTS, ENDS, strict=True):
        alone = model(torch.tensor([text])).logits[0]
        torch.testing.assert_close(logits[end - len(text) : end], alone, atol=2e-6, rtol=0)


@pytest.mark.parametrize("backbone", sorted(set(models.names()) - {"convnet"}))
def test_each_text_is_as_alone(backbone):
    model = build(backbone)
    collate = DataCollatorWithFlattening(return_seq_idx=True, return_flash_attn_kwargs=True)
    assert_alone(model, model(**collate([{"input_ids": text} for text in TEXTS])).logits[0])


@pytest.mark.parametrize("marks", MARKS)
def test_every_mark_is_read(packed, marks):
    model = build()
    assert_alone(model, model(packed, **MARKS[marks]).logits[0])


@pytest.mark.parametrize("front", [True, False])
def test_rows_of_texts_beside_padding(packed, front):
    model = build()
    padding = torch.zeros(1, 3, dtype=torch.long)
    both = [padding, packed] if front else [packed, padding]
    mask = torch.cat([padding, packed], 1).bool() if front else torch.cat([packed, padding], 1) > 0
    tokens = torch.cat([torch.cat(both, 1), torch.arange(16)[None]])
    positions = torch.cat([padding, POSITIONS] if front else [POSITIONS, padding], 1)
    output = model(
        tokens,
        attention_mask=torch.cat([mask, torch.ones_like(mask)]).long(),
        position_ids=torch.cat([positions, torch.arange(16)[None]]),
    )
    assert_alone(model, output.logits[0, mask[0]])
    torch.testing.assert_close(output.logits[1:], model(tokens[1:]).logits, atol=2e-6, rtol=0)


def test_the_loss_is_that_of_the_texts_alone(packed):
    model = build("fwm").train()
    model(packed, labels=packed, position_ids=POSITIONS).loss.backward()
    together = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    count = sum(len(text) - 1 for text in TEXTS)
    for text in TEXTS:
        row = torch.tensor([text])
        model(row, labels=row, num_items_in_batch=count).loss.backward()
    for weight, grad in zip(model.parameters(), together, strict=True):
        torch.testing.assert_close(weight.grad, grad, atol=1e-6, rtol=1e-4)


def test_a_cache_goes_to_the_first_text_and_comes_from_the_last(packed):
    model = build()
    cache = model(torch.tensor([[11, 12]]))[CACHE]
    positions = torch.cat([POSITIONS[:, :4] + 2, POSITIONS[:, 4:]], 1)
    output = model(packed, position_ids=positions, cache=cache)
    whole = model(torch.tensor([[11, 12, *TEXTS[0]]])).logits[:, 2:]
    torch.testing.assert_close(output.logits[:, :4], whole, atol=2e-6, rtol=0)
    alone = model(torch.tensor([TEXTS[-1]]))[CACHE]
    for ours, theirs in zip(states.tensors(cache.state), states.tensors(alone.state), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=0)
    assert cache.get_seq_length() == 15


def test_logits_of_some_steps(packed):
    model = build()
    whole = model(packed, position_ids=POSITIONS).logits
    for kept, expected in ((2, whole[:, -2:]), (torch.tensor([9, 1]), whole[:, [9, 1]])):
        some = model(packed, position_ids=POSITIONS, logits_to_keep=kept).logits
        torch.testing.assert_close(some, expected)


def test_positions_of_one_text_change_nothing(packed):
    model = build()
    for start in (0, 7):
        positions = torch.arange(start, start + packed.shape[1])[None]
        assert torch.equal(model(packed, position_ids=positions).logits, model(packed).logits)


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_packing_is_refused(packed):
    model = build()
    with pytest.raises(UserError, match=r"position_ids go from 3 to 5 in row 0; accepted"):
        model(packed, position_ids=torch.where(POSITIONS == 4, 5, POSITIONS))
    with pytest.raises(UserError, match=r"seq_idx has shape \[2, 3\]; accepted: \[1, 13\]"):
        model(packed, seq_idx=torch.zeros(2, 3))
    for cuts in ([0, 4], [4, 13], [0, 9, 7, 13]):
        with pytest.raises(UserError, match="cu_seq_lens are"):
            model(packed, cu_seq_lens_q=torch.tensor(cuts))
    with pytest.raises(UserError, match="cu_seq_lens are"):
        model(packed.repeat(2, 1), cu_seq_lens_q=torch.tensor([0, 4, 13]))
    with pytest.raises(UserError, match="attention_mask holds 2; accepted"):
        model(packed, attention_mask=1 + (torch.arange(13)[None] > 4).long())
    with pytest.raises(UserError, match="cu_seqlens is nothing that a fast weight model reads"):
        model(packed, cu_seqlens=torch.tensor([0, 4, 13]))
    with pytest.raises(UserError, match="output_hidden_states"):
        model(packed, output_hidden_states=True)
