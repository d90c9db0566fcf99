"""Models of transformers whose gated delta rule our kernels run: the same losses, gradients, caches and tokens."""

from __future__ import annotations

import copy
import sys
import types

import pytest
import torch
import transformers
from torch import nn

from fastweights.errors import UserError
from fastweights.hf import accelerate, gated_delta_rule
from fastweights.hf.acceleration import NAMES, _Replacement

SIZES = {
    "vocab_size": 40,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
}
ATTENTION = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 12,
    "layer_types": ["linear_attention", "full_attention"],
}
NO_EXPERTS = {"num_experts": 0, "mlp_only_layers": [0, 1]}
KIMI = {
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "layer_types": ["linear_attention", "full_attention"],
    "mlp_layer_types": ["dense", "dense"],
}
FAMILIES = {
    "Qwen3Next": SIZES | ATTENTION | LINEAR | NO_EXPERTS,
    "Qwen3_5Text": SIZES | ATTENTION | LINEAR,
    "OlmoHybrid": SIZES | ATTENTION | LINEAR,
    "KimiLinear": SIZES | KIMI,
}
CAUSAL = {"Qwen3_5Text": "Qwen3_5ForCausalLM"}


def build(family: str) -> nn.Module:
    """A small model of random weights, the same each time."""
    if not hasattr(transformers, f"{family}Config"):
        pytest.skip(f"transformers {transformers.__version__} has no {family}")
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family])
    torch.manual_seed(0)
    model = getattr(transformers, CAUSAL.get(family, f"{family}ForCausalLM"))(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


families = pytest.mark.parametrize("family", FAMILIES)


def tokens(rows: int = 2, time: int = 70) -> torch.Tensor:
    return torch.randint(1, 40, (rows, time), generator=torch.Generator().manual_seed(1))


def masks(time: int = 70) -> dict[str, torch.Tensor]:
    full = torch.ones(2, time, dtype=torch.long)
    left, right = full.clone(), full.clone()
    left[1, :20], right[1, -20:] = 0, 0
    return {"whole": full, "padded before": left, "padded behind": right}


def loss_and_gradients(model: nn.Module, mask: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    labels = tokens().masked_fill(mask == 0, -100)
    loss = model(input_ids=tokens(), attention_mask=mask, labels=labels, use_cache=False).loss
    loss.backward()
    found = [p.grad for p in model.parameters() if p.grad is not None]
    return [loss.detach(), *(gradient.clone() for gradient in found)]


def assert_near(found: list[torch.Tensor], true: list[torch.Tensor]) -> None:
    assert len(found) == len(true) > 10
    for a, b in zip(found, true, strict=True):
        assert (a - b).abs().max() <= 2e-4 * (b.abs().max() + 1e-3)


@families
@pytest.mark.parametrize("padding", masks())
def test_losses_and_gradients_are_the_same(family, padding):
    model, mask = build(family), masks()[padding]
    true = loss_and_gradients(model, mask)
    with accelerate(model) as changed:
        assert len(changed.replaced) >= 2 and all(family_name(model) in n for n in changed.replaced)
        assert_near(loss_and_gradients(model, mask), true)


def family_name(model: nn.Module) -> str:
    return type(model).__module__


@families
def test_prefill_decoding_and_caches_are_the_same(family):
    model = build(family).eval()
    prompt = tokens(2, 40)
    true = model.generate(prompt, max_new_tokens=6, do_sample=False)
    whole = model(input_ids=true, use_cache=False).logits
    with accelerate(model):
        found = model.generate(prompt, max_new_tokens=6, do_sample=False)
        again = model(input_ids=true, use_cache=False).logits
    assert torch.equal(found, true)
    torch.testing.assert_close(again, whole, rtol=1e-3, atol=1e-3)


@families
def test_restore_puts_the_own_functions_back(family):
    model = build(family)
    module = sys.modules[family_name(model)]
    before = {name: vars(module)[name] for name in NAMES if name in vars(module)}
    changed = accelerate(model)
    assert all(isinstance(vars(module)[name], _Replacement) for name in before)
    second = accelerate(copy.deepcopy(model))  # they are in place already
    assert second.replaced == ()
    second.restore()
    assert all(isinstance(vars(module)[name], _Replacement) for name in before)
    changed.restore()
    changed.restore()
    assert {name: vars(module)[name] for name in before} == before


def test_autocast_keeps_the_type_of_the_queries():
    model = build("Qwen3Next").eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        true = model(input_ids=tokens(), use_cache=False).logits
        with accelerate(model):
            found = model(input_ids=tokens(), use_cache=False).logits
    assert found.dtype == true.dtype
    assert (found - true).float().abs().mean() <= 0.02 * true.float().std()


def test_packed_sequences_are_left_to_the_model(monkeypatch):
    model, called = build("Qwen3Next"), []
    module = sys.modules[family_name(model)]

    def own(query, key, value, g, beta, chunk_size=64, initial_state=None, output_final_state=False,
            use_qk_l2norm_in_kernel=False, **kwargs):  # fmt: skip
        called.append(kwargs)
        return value, None

    monkeypatch.setattr(module, "torch_chunk_gated_delta_rule", own)
    x, heads = torch.randn(1, 6, 2, 4), torch.rand(1, 6, 2)
    with accelerate(model):
        for cuts in (None, torch.tensor([0, 3, 6])):
            module.torch_chunk_gated_delta_rule(x, x, x, g=-heads, beta=heads, cu_seqlens=cuts)
    assert [set(kwargs) for kwargs in called] == [{"cu_seqlens"}]


def test_a_decay_for_each_feature_that_is_alike_is_one_a_step():
    x, beta, g = (
        torch.randn(3, 2, 9, 2, 4).double(),
        torch.rand(2, 9, 2).double(),
        -torch.rand(2, 9, 2).double(),
    )
    one = gated_delta_rule(*x, g, beta, output_final_state=True, use_qk_l2norm_in_kernel=True)
    wide = g.unsqueeze(3).expand(2, 9, 2, 4)
    many = gated_delta_rule(*x, wide, beta, output_final_state=True, use_qk_l2norm_in_kernel=True)
    torch.testing.assert_close(many, one, rtol=1e-12, atol=1e-12)


def test_refusals(monkeypatch):
    with pytest.raises(UserError, match="Linear has no layer of the gated delta rule"):
        accelerate(nn.Linear(2, 3))
    model = build("Qwen3Next")
    module = sys.modules[family_name(model)]
    monkeypatch.setattr(module, "torch_chunk_gated_delta_rule", lambda query, key: None)
    with pytest.raises(UserError, match=r"has no argument value; supported are transformers 5\.10"):
        accelerate(model)
    assert not isinstance(module.torch_recurrent_gated_delta_rule, _Replacement)
    elsewhere = types.SimpleNamespace(device="cuda:0")
    monkeypatch.setattr(model, "parameters", lambda: iter([elsewhere]))
    with pytest.raises(UserError, match="the model is on cuda:0, and the kernels run on the CPU"):
        accelerate(model)


def test_heads_of_keys_that_do_not_divide_those_of_values():
    q, v, g = torch.zeros(1, 3, 4, 8), torch.zeros(1, 3, 6, 8), torch.zeros(1, 3, 6)
    with pytest.raises(UserError, match="heads is 6; accepted with 4 key heads: a multiple"):
        gated_delta_rule(q, q, v, g, g)
