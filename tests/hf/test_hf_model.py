"""The model of `transformers` against the library's own and torch's loss: logits, losses, gradients, padding, state."""

import copy
import logging

import pytest
import torch
import torch.nn.functional as F

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM, RecurrentCache
from fastweights.hf.model import CACHE
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss

CLASSES, BATCH, TIME = 11, 3, 7
BACKBONES = {
    "fwm": {},
    "deltanet": {},
    "transformer-xl": {"heads": 2},
    "awd-fwm": {"memory_size": 4},
}


def build(backbone="fwm", options=None, **others):
    given = {"vocab_size": CLASSES, "hidden_size": 8, "embedding_size": 8, **others}
    return FastWeightForCausalLM(FastWeightConfig(backbone=backbone, options=options, **given))


@pytest.fixture(params=BACKBONES)
def model(request):
    tied = request.param == "awd-fwm"
    return build(request.param, BACKBONES[request.param], tie_word_embeddings=tied).eval()


@pytest.fixture
def tokens():
    return torch.randint(CLASSES, (BATCH, TIME))


def test_logits_and_loss_are_the_librarys(model, tokens):
    labels = tokens.clone()
    labels[0, 3], labels[2, :4] = -100, -100
    output = model(tokens, labels=labels)
    logits, state = model.model(tokens)
    assert torch.equal(output.logits, logits)
    expected = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(output.loss, expected)
    for ours, theirs in zip(
        states.tensors(output[CACHE].state), states.tensors(state), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_gradients_are_the_librarys(model, tokens):
    ours = copy.deepcopy(model.model)
    model(tokens, labels=tokens).loss.backward()
    logits, _ = ours(tokens)
    F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).backward()
    for (name, parameter), other in zip(
        model.model.named_parameters(), ours.parameters(), strict=True
    ):
        assert parameter.grad is not None, name
        torch.testing.assert_close(parameter.grad, other.grad)


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_objectives_of_the_backbone_are_in_the_training_loss(tokens, weight):
    plain = {"recurrent_dropout": 0.0, "hidden_dropout": 0.0, "output_dropout": 0.0}
    model = build("awd-lstm", plain, auxiliary_weight=weight).train()
    loss = model(tokens, labels=tokens).loss
    extra = auxiliary_loss(model)
    assert extra > 0
    told = model.eval()(tokens, labels=tokens).loss
    torch.testing.assert_close(loss, told + weight * extra)


def test_parts_of_a_batch_add_up_to_it(tokens):
    plain = {"recurrent_dropout": 0.0, "hidden_dropout": 0.0, "output_dropout": 0.0}
    model = build("awd-lstm", plain).train()
    whole = model(tokens, labels=tokens).loss
    count = BATCH * (TIME - 1)
    parts = [
        model(row[None], labels=row[None], num_items_in_batch=torch.tensor(count)).loss
        for row in tokens
    ]
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("backbone", ["awd-lstm", "fwm"])
@pytest.mark.parametrize("count", [0, torch.tensor(0)])
def test_a_batch_without_labels_changes_nothing(backbone, count, tokens):
    model = build(backbone).train()
    masked = torch.full_like(tokens, -100)
    loss = model(tokens, labels=masked, num_items_in_batch=count).loss
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in model.parameters())


def test_what_is_read_is_a_batch_of_tokens(model, tokens):
    vectors = model.get_input_embeddings()(tokens)
    for given in ({"inputs_embeds": vectors}, {"input_ids": tokens, "inputs_embeds": vectors}, {}):
        with pytest.raises(UserError, match="input_ids"):
            model(**given)
    with pytest.raises(UserError, match="input_ids"):
        model.generate(inputs_embeds=vectors, max_new_tokens=2)


@pytest.mark.parametrize("side", ["front", "behind"])
def test_padded_rows_are_as_alone(model, tokens, side):
    mask = torch.ones_like(tokens)
    lengths = (TIME, 4, 1)
    cuts = [slice(TIME - n, None) if side == "front" else slice(n) for n in lengths]
    for row, cut in enumerate(cuts):
        mask[row] = 0
        mask[row, cut] = 1
    output = model(tokens, attention_mask=mask)
    for row, cut in enumerate(cuts):
        alone = model(tokens[row : row + 1, cut])
        torch.testing.assert_close(output.logits[row, cut], alone.logits[0], atol=1e-5, rtol=0)
        own = states.select(output[CACHE].state, torch.tensor([row]))
        for ours, theirs in zip(
            states.tensors(own), states.tensors(alone[CACHE].state), strict=True
        ):
            if ours.is_floating_point():
                torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", ["front", "behind"])
def test_training_on_padded_rows_is_training_on_each(tokens, side):
    model = build("fwm").train()
    mask = torch.ones_like(tokens)
    lengths = (TIME, 4, 2)
    cuts = [slice(TIME - n, None) if side == "front" else slice(n) for n in lengths]
    for row, cut in enumerate(cuts):
        mask[row] = 0
        mask[row, cut] = 1
    labels = tokens.masked_fill(mask == 0, -100)
    loss = model(tokens, attention_mask=mask, labels=labels).loss
    loss.backward()
    together = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    count = sum(lengths) - BATCH
    rows = [tokens[row : row + 1, cut] for row, cut in enumerate(cuts)]
    apart = sum(model(row, labels=row, num_items_in_batch=count).loss for row in rows)
    torch.testing.assert_close(apart, loss)
    apart.backward()
    for parameter, grad in zip(model.parameters(), together, strict=True):
        torch.testing.assert_close(parameter.grad, grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("cut", [1, 4, 6])
def test_a_cache_goes_on_where_it_ended(model, tokens, cut):
    whole = model(tokens)
    first = model(tokens[:, :cut])
    cache = first[CACHE]
    assert cache.get_seq_length() == cut
    second = model(tokens[:, cut:], cache=cache)
    assert second[CACHE] is cache and cache.get_seq_length() == TIME
    both = torch.cat([first.logits, second.logits], 1)
    torch.testing.assert_close(both, whole.logits, atol=1e-5, rtol=0)


def test_the_cache_has_an_older_name_too(model, tokens):
    cache = RecurrentCache()
    model(tokens, past_key_values=cache)
    assert cache.get_seq_length() == TIME and cache.state is not None


def test_gradients_flow_through_a_cache_until_it_is_detached(tokens):
    model = build("fwm").train()
    cache = RecurrentCache()
    model(tokens, cache=cache)
    reached = model(tokens, cache=cache).logits.sum()
    assert any(tensor.requires_grad for tensor in states.tensors(cache.state))
    reached.backward()
    cache.detach()
    assert not any(tensor.requires_grad for tensor in states.tensors(cache.state))
    assert cache.get_seq_length() == 2 * TIME


def test_no_cache_in_training_or_where_none_is_wanted(model, tokens):
    assert CACHE not in model(tokens, use_cache=False)
    assert CACHE not in model.train()(tokens)


def test_logits_of_some_steps(model, tokens):
    whole = model(tokens).logits
    torch.testing.assert_close(model(tokens, logits_to_keep=2).logits, whole[:, -2:])
    some = torch.tensor([4, 1])
    torch.testing.assert_close(model(tokens, logits_to_keep=some).logits, whole[:, some])


def test_a_tuple_on_request(tokens):
    model = build().eval()
    loss, logits, cache = model(tokens, labels=tokens, return_dict=False)
    assert loss.shape == () and logits.shape == (BATCH, TIME, CLASSES)
    assert isinstance(cache, RecurrentCache)


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16(model, tokens, autocast):
    expected = model(tokens).logits
    if not autocast:
        model.to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = model(tokens).logits
        text = model.generate(tokens, max_new_tokens=3, do_sample=False)
    assert logits.dtype == torch.bfloat16 and text.shape == (BATCH, TIME + 3)
    torch.testing.assert_close(logits.float(), expected, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("size", [CLASSES + 3, CLASSES - 3])
def test_the_vocabulary_can_be_resized(tokens, size, tied):
    model = build(tie_word_embeddings=tied, embedding_range=0.25, embedding_dropout=0.1).eval()
    few = tokens % (CLASSES - 3)
    with torch.no_grad():
        before = model(few).logits
    model.resize_token_embeddings(size, mean_resizing=False)
    after = model(few).logits
    assert after.shape[-1] == model.config.vocab_size == model.model.config["classes"] == size
    kept = min(size, CLASSES)
    torch.testing.assert_close(after[..., :kept], before[..., :kept])
    assert (model.model.head.weight is model.model.encoder.weight) == tied
    assert model.model.encoder.weight[kept:].abs().le(0.25).all()
    model.train()(few, labels=few).loss.backward()


@pytest.mark.usefixtures("unchecked")
def test_slips(tokens):
    model = build().eval()
    with pytest.raises(UserError, match="token 11 is outside the model's vocabulary of 11"):
        model(tokens + (tokens == tokens.max()) * (CLASSES - tokens))
    with pytest.raises(UserError, match="attention_mask has shape"):
        model(tokens, attention_mask=torch.ones(BATCH, 1, TIME, TIME))
    with pytest.raises(UserError, match="padding between real steps"):
        model(tokens, attention_mask=torch.tensor([[1, 1, 0, 1, 1, 1, 1]] * BATCH))
    with pytest.raises(UserError, match="the cache is a tuple"):
        model(tokens, cache=(torch.zeros(1),))
    with pytest.raises(UserError, match="LSTM"):
        model(tokens, cache=RecurrentCache((torch.zeros(BATCH, 8),), 1))
    with pytest.raises(UserError, match="did you mean 'deltanet'"):
        FastWeightConfig(backbone="deltanett")
    with pytest.raises(UserError, match="option of model"):
        build(options={"memory_sizes": 3})
    with pytest.raises(UserError, match="without an embedding"):
        build(embedding_size=None).resize_token_embeddings(20)
    with pytest.raises(UserError, match="format 9, this version of fastweights reads 1"):
        FastWeightConfig(format=9)


def test_nothing_is_logged(model, tokens, caplog):
    caplog.set_level(logging.WARNING)
    model.generate(tokens, max_new_tokens=2, do_sample=False)
    assert not caplog.records
