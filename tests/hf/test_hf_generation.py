"""`generate`: greedy, sampled and beam search, rows padded in front, long prompts in pieces, texts gone on with."""

import pytest
import torch

from fastweights import state as states
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM
from fastweights.hf.model import CACHE

CLASSES, TIME, NEW = 11, 7, 6
BACKBONES = {"fwm": {}, "gated-deltanet": {}, "transformer-xl": {"heads": 2}}


@pytest.fixture(scope="module", params=BACKBONES)
def model(request):
    torch.manual_seed(1)
    config = FastWeightConfig(
        vocab_size=CLASSES,
        backbone=request.param,
        hidden_size=8,
        embedding_size=8,
        options=BACKBONES[request.param],
    )
    model = FastWeightForCausalLM(config).eval()
    with torch.no_grad():  # far from uniform, so that no two likeliest tokens are near each other
        model.model.head.weight *= 20
    return model


@pytest.fixture
def prompt():
    return torch.randint(CLASSES, (3, TIME))


def test_greedy_text_is_the_likeliest_at_each_step(model, prompt):
    text = model.generate(prompt, max_new_tokens=NEW, do_sample=False)
    assert torch.equal(text[:, :TIME], prompt)
    assert torch.equal(model(text).logits[:, TIME - 1 : -1].argmax(-1), text[:, TIME:])


def test_scores_are_the_teacher_forced_logits(model, prompt):
    told = model.generate(
        prompt,
        max_new_tokens=NEW,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    forced = model(told.sequences).logits[:, TIME - 1 : -1]
    torch.testing.assert_close(torch.stack(told.logits, 1), forced, atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2}])
def test_beam_search_carries_each_beams_state(model, prompt, options):
    options = {**options, "max_new_tokens": NEW, "do_sample": False}
    with_state = model.generate(prompt, **options)
    from_the_start = model.generate(prompt, use_cache=False, **options)
    assert torch.equal(with_state, from_the_start)


def test_samples_follow_the_probabilities(model, prompt):
    many = prompt[:1].expand(2000, -1)
    drawn = model.generate(many, max_new_tokens=1, do_sample=True, top_k=0)[:, -1]
    seen = torch.bincount(drawn, minlength=CLASSES) / len(many)
    expected = model(prompt[:1]).logits[0, -1].softmax(-1)
    torch.testing.assert_close(seen, expected, atol=0.06, rtol=0)  # 5 standard deviations


def test_samples_repeat_with_the_seed(model, prompt):
    def draw(seed):
        torch.manual_seed(seed)
        return model.generate(prompt, max_new_tokens=8, do_sample=True, temperature=20.0)

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}])
def test_rows_padded_in_front_are_as_alone(model, prompt, options):
    options = {**options, "max_new_tokens": NEW, "do_sample": False}
    starts = (0, 3, TIME - 1)
    mask = torch.stack([(torch.arange(TIME) >= start).long() for start in starts])
    together = model.generate(prompt, attention_mask=mask, **options)
    for row, start in enumerate(starts):
        alone = model.generate(prompt[row : row + 1, start:], **options)
        assert torch.equal(together[row, start:], alone[0])


def test_a_long_prompt_can_be_read_in_pieces(model, prompt):
    options = {"max_new_tokens": NEW, "do_sample": False}
    whole = model.generate(prompt, **options)
    assert torch.equal(model.generate(prompt, prefill_chunk_size=2, **options), whole)


def test_a_text_is_gone_on_with_from_its_state(model, prompt):
    whole = model.generate(prompt, max_new_tokens=2 * NEW, do_sample=False)
    first = model.generate(
        prompt, max_new_tokens=NEW, do_sample=False, return_dict_in_generate=True
    )
    kept = {CACHE: first[CACHE]}
    second = model.generate(first.sequences, max_new_tokens=NEW, do_sample=False, **kept)
    assert torch.equal(second, whole)


def test_guidance_carries_a_state_of_its_own(model, prompt):
    tokens, without, scale = prompt, prompt[:, -1:], 4.0
    for _ in range(5):
        given, free = (model(x).logits[:, -1].log_softmax(-1) for x in (tokens, without))
        chosen = (scale * (given - free) + free).argmax(-1, keepdim=True)
        tokens, without = (torch.cat([x, chosen], 1) for x in (tokens, without))
    guided = model.generate(prompt, max_new_tokens=5, do_sample=False, guidance_scale=scale)
    assert torch.equal(guided, tokens)


def test_what_is_kept_does_not_grow(model, prompt):
    def kept(count):
        made = model.generate(
            prompt, max_new_tokens=count, do_sample=False, return_dict_in_generate=True
        )
        assert made[CACHE].get_seq_length() == TIME + count - 1
        return [tensor.shape for tensor in states.tensors(made[CACHE].state)]

    assert kept(2) == kept(40)


def test_assisted_generation_is_refused(model, prompt):
    with pytest.raises(ValueError, match="stateful"):
        model.generate(prompt, assistant_model=model, max_new_tokens=2)
