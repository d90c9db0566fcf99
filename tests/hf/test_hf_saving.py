"""A saved model comes back to the bit, with all that is not saved; another model's weights are refused."""

import json

import pytest
import torch
from accelerate import cpu_offload
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from fastweights import models
from fastweights.errors import UserError
from fastweights.hf import FastWeightConfig, FastWeightForCausalLM

CLASSES = 11
OPTIONS = {"transformer-xl": {"heads": 2}, "awd-fwm": {"memory_size": 4}}
TOKENS = torch.tensor([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]])


def build(backbone="fwm", **others):
    given = {"hidden_size": 8, "embedding_size": 8, "options": OPTIONS.get(backbone), **others}
    return FastWeightForCausalLM(FastWeightConfig(CLASSES, backbone, **given)).eval()


@pytest.fixture
def saved(tmp_path):
    model = build()
    model.save_pretrained(tmp_path)
    return tmp_path


LANGUAGE_MODELS = [(name, 8) for name in models.names() if name != "convnet"]
ONE_HOT = [("fwm", None), ("deltanet", None)]  # without a table of one-hot vectors, and with one


@pytest.mark.parametrize(("backbone", "embedding"), [*LANGUAGE_MODELS, *ONE_HOT])
def test_every_backbone_comes_back_to_the_bit(backbone, embedding, tmp_path):
    model = build(backbone, embedding_size=embedding)
    before = torch.get_rng_state()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(loaded) is FastWeightForCausalLM and not loaded.training
    assert loaded.config.describe() == model.config.describe()
    here = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    there = {**dict(loaded.named_parameters()), **dict(loaded.named_buffers())}
    assert here.keys() == there.keys()
    for name, tensor in here.items():
        assert torch.equal(tensor, there[name]) and tensor.dtype == there[name].dtype, name
    # Where tensors lie in memory may round the last bit of a product differently.
    torch.testing.assert_close(loaded(TOKENS).logits, model(TOKENS).logits, atol=1e-6, rtol=0)


def test_tied_weights_are_saved_once_and_come_back_tied(tmp_path):
    model = build("awd-fwm", tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors").keys()
    assert sum(name in names for name in ("model.encoder.weight", "model.head.weight")) == 1
    loaded = FastWeightForCausalLM.from_pretrained(tmp_path)
    assert loaded.model.head.weight is loaded.model.encoder.weight
    assert torch.equal(loaded.model.head.weight, model.model.head.weight)
    assert torch.equal(loaded.model.head.bias, model.model.head.bias)


def test_a_readout_and_a_head_without_bias_are_part_of_it(tmp_path):
    model = build(readout_size=6, head_bias=False)
    model.save_pretrained(tmp_path)
    loaded = FastWeightForCausalLM.from_pretrained(tmp_path)
    assert loaded.get_output_embeddings().bias is None
    assert torch.equal(loaded(TOKENS).logits, model(TOKENS).logits)


def test_the_type_is_kept_or_asked_for(saved, tmp_path):
    half = FastWeightForCausalLM.from_pretrained(saved, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    half.save_pretrained(tmp_path / "half")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "half")
    assert again.dtype == torch.bfloat16
    assert torch.equal(again(TOKENS).logits, half(TOKENS).logits)


def test_a_resized_model_comes_back_resized(saved):
    model = FastWeightForCausalLM.from_pretrained(saved)
    model.resize_token_embeddings(CLASSES + 4, mean_resizing=False)
    model.save_pretrained(saved)
    loaded = FastWeightForCausalLM.from_pretrained(saved)
    assert loaded.config.vocab_size == CLASSES + 4
    assert torch.equal(loaded(TOKENS).logits, model(TOKENS).logits)


def test_the_configuration_alone(saved):
    config = AutoConfig.from_pretrained(saved)
    assert type(config) is FastWeightConfig and config.backbone == "fwm"
    model = AutoModelForCausalLM.from_config(config)
    assert model(TOKENS).logits.shape == (2, 5, CLASSES)


def test_loading_information_on_request(saved):
    model, found = FastWeightForCausalLM.from_pretrained(saved, output_loading_info=True)
    assert isinstance(model, FastWeightForCausalLM) and not found["missing_keys"]


def edit(folder, change):
    """Change the saved weights."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {"format": "pt"})


def test_weights_of_another_vocabulary_are_refused(saved):
    path = saved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "vocab_size": 12}))
    with pytest.raises(UserError, match=r"has shape \[11.*are the weights of another vocabulary"):
        AutoModelForCausalLM.from_pretrained(saved)
    loaded = FastWeightForCausalLM.from_pretrained(saved, ignore_mismatched_sizes=True)
    assert loaded.config.vocab_size == 12


def test_missing_weights_are_refused(saved):
    edit(saved, lambda weights: weights.pop("model.head.bias"))
    with pytest.raises(UserError, match=r"lacks model\.head\.bias.*another version"):
        AutoModelForCausalLM.from_pretrained(saved)


def test_unknown_weights_are_refused(saved):
    edit(saved, lambda weights: weights.update(extra=torch.ones(1)))
    with pytest.raises(UserError, match="has extra, which its"):
        AutoModelForCausalLM.from_pretrained(saved)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 2, "format 2, this version of fastweights reads 1"),
        ("backbone", "fwm-2", "unknown model 'fwm-2'"),
        ("options", {"reeds": 3}, "did you mean 'reads'"),
    ],
)
def test_models_of_another_version_are_refused(saved, key, value, said):
    path = saved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(UserError, match=said):
        AutoModelForCausalLM.from_pretrained(saved)


def test_what_reads_vectors_is_no_language_model():
    vectors = models.model_config("lstm", input=4, hidden=8, classes=4, inputs="vectors")
    fewer = models.model_config("lstm", input=4, hidden=8, classes=3)
    for config in (vectors, fewer):
        with pytest.raises(UserError, match="reads and predicts tokens"):
            FastWeightConfig.of(config)


PARTS = ("encoder", "backbone", "head")


def placed(folder, **places):
    """Load a model whose other parts are on the CPU."""
    where = {f"model.{part}": places.get(part, "cpu") for part in PARTS}
    off = {"device_map": where, "offload_folder": str(folder / "off")}
    return AutoModelForCausalLM.from_pretrained(folder, **off)


@pytest.mark.parametrize(("backbone", "part"), [("lstm", "backbone"), ("lstm", "encoder")])
def test_weights_that_nothing_would_fetch_are_refused(tmp_path, backbone, part):
    build(backbone).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=rf"model\.{part}\..* is offloaded; .* on one device"):
        placed(tmp_path, **{part: "disk"})


def test_a_tied_head_on_disk_is_refused(tmp_path):
    build("lstm", tie_word_embeddings=True).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"model\.head\..* is offloaded"):
        placed(tmp_path, head="disk")


def test_a_model_that_accelerate_empties_is_refused():
    model = cpu_offload(build("lstm"), execution_device=torch.device("cpu"))
    with pytest.raises(UserError, match="is offloaded; accepted: the whole model on one device"):
        model(TOKENS)


@pytest.mark.parametrize("part", ["encoder", "head"])
def test_what_is_called_may_lie_on_disk(tmp_path, part):
    model = build("deltanet")
    model.save_pretrained(tmp_path)
    assert torch.equal(placed(tmp_path, **{part: "disk"})(TOKENS).logits, model(TOKENS).logits)
