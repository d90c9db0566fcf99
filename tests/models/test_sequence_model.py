"""Encoder, backbone and head together, and the configuration that rebuilds them."""

import json

import pytest
import torch

from fastweights import models, nn
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.models import OneHot, SequenceModel

CLASSES, INPUT = 4, 9


def config(name="fast-weights", **other):
    return models.model_config(name, **{"input": INPUT, "hidden": 6, "classes": CLASSES, **other})


def built(name="fast-weights", **other):
    torch.manual_seed(0)
    return models.from_config(config(name, **other)).double()


def tokens(batch=3, time=7):
    return torch.randint(0, INPUT, (batch, time), generator=torch.Generator().manual_seed(1))


variants = pytest.mark.parametrize(
    "model",
    [{}, {"name": "lstm"}, {"embedding": 5, "readout": 8}, {"name": "gru-ln", "readout": 3}],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)


@variants
def test_shapes_step_and_split(model):
    model = built(**model)
    x = tokens()
    logits, end = model(x)
    assert logits.shape == (3, 7, CLASSES)
    state, outputs = model.initial_state(3), []
    for t in range(7):
        y, state = model.step(x[:, t], state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), logits)
    first, state = model(x[:, :4])
    second, state = model(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), logits)
    for one, other in zip(states.tensors(state), states.tensors(end), strict=True):
        torch.testing.assert_close(one, other)


@variants
def test_last_only_is_the_last_real_step(model):
    model = built(**model)
    x = tokens()
    logits, _ = model(x)
    last, state = model(x, last_only=True, need_state=False)
    assert state is None
    torch.testing.assert_close(last, logits[:, -1])
    torch.testing.assert_close(model(x[0], last_only=True)[0], logits[0, -1])
    steps = torch.arange(7)
    mask = torch.stack([steps < 3, steps >= 2, steps < 7])
    last, _ = model(x, mask=mask, last_only=True)
    for row in range(3):
        alone, _ = model(x[row, mask[row]][None])
        torch.testing.assert_close(last[row], alone[0, -1])
    torch.testing.assert_close(model(x[0], mask=mask[0], last_only=True)[0], last[0])


@variants
def test_trace_holds_the_logits(model):
    model = built(**model)
    trace = model.trace(tokens(), memory_steps=[2])
    torch.testing.assert_close(trace.output, model(tokens())[0])
    assert trace.hidden.shape == (3, 7, 6)


@pytest.mark.parametrize("name", ["fast-weights", "lstm", "fwm"])
@pytest.mark.parametrize("embedding", [None, 5])
def test_vectors_go_in_as_they_are_or_through_a_relu_layer(name, embedding):
    model = built(name, inputs="vectors", embedding=embedding)
    x = torch.randn(3, 7, INPUT, dtype=torch.float64)
    logits, _ = model(x)
    features = x
    if embedding is not None:
        layer = model.encoder[0]
        features = torch.relu(x @ layer.weight.T + layer.bias)
        assert layer.out_features == embedding
    torch.testing.assert_close(logits, model.head(model.backbone(features)[0]))
    state, outputs = None, []
    for t in range(7):
        y, state = model.step(x[:, t], state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), logits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": "pictures"},
        {"inputs": "vectors", "word_dropout": 0.1},
        {"input_dropout": 0.1},
        {"inputs": "vectors", "input_dropout": 1.5},
    ],
)
def test_what_cannot_come_in_is_refused(wrong):
    with pytest.raises(
        UserError, match=r"inputs must be|are of an embedding|is of vectors|0 to 1|input_dropout"
    ):
        config(**wrong)


def test_one_hot_encoder_and_classes_are_the_same_model():
    model = built()
    encoded = SequenceModel(OneHot(INPUT).double(), model.backbone, model.head)
    torch.testing.assert_close(encoded(tokens())[0], model(tokens())[0])
    assert encoded.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    ("backbone", "options", "left"),
    [
        (nn.LSTM, {}, True),
        (nn.LSTM, {"padding_idx": 0}, False),
        (nn.LSTM, {"max_norm": 1.0}, False),
        (nn.LSTM, {"scale_grad_by_freq": True}, False),
        (nn.LayerNormGRU, {}, False),
    ],
)
def test_an_embedding_is_left_to_backbones_that_do_better(backbone, options, left, monkeypatch):
    """The model and its gradients are the same, whoever looks the vectors up."""
    encoder = torch.nn.Embedding(INPUT, 5, **options)
    model = SequenceModel(encoder, backbone(5, 6), torch.nn.Linear(6, 3)).double()
    calls, look_up = [], torch.nn.Embedding.forward

    def counted(self, x):
        calls.append(1)
        return look_up(self, x)

    monkeypatch.setattr(torch.nn.Embedding, "forward", counted)
    logits, _ = model(tokens())
    assert len(calls) == (0 if left else 1)
    by_hand = model.head(model.backbone(encoder(tokens()))[0])
    found, true = (
        torch.autograd.grad(y.square().sum(), list(model.parameters())) for y in (logits, by_hand)
    )
    torch.testing.assert_close((logits, *found), (by_hand, *true))


def test_one_hot_follows_the_module():
    encoder = SequenceModel(OneHot(3), nn.LSTM(3, 2), torch.nn.Identity()).double().encoder
    assert encoder(torch.tensor([1])).tolist() == [[0, 1, 0]]
    assert encoder(torch.tensor([1])).dtype == torch.float64
    assert "OneHot(3)" in repr(encoder)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("embedding", [None, 5])
@pytest.mark.parametrize("readout", [None, 8])
def test_a_configuration_rebuilds_the_model(name, embedding, readout):
    options = {"cells": [None, *range(16)], "patch": 1} if name == "convnet" else {}
    original = built(name, embedding=embedding, readout=readout, options=options).float().eval()
    rebuilt = models.from_config(json.loads(json.dumps(original.config))).eval()
    assert rebuilt.config == original.config
    rebuilt.load_state_dict(original.state_dict())
    torch.testing.assert_close(rebuilt(tokens())[0], original(tokens())[0], rtol=0, atol=0)


def test_the_configuration_keeps_the_name_and_the_options():
    kept = config("RNN-LN-FW", options={"decay": 0.5})
    assert kept == {
        "name": "fast-weights",
        "input": INPUT,
        "hidden": 6,
        "classes": CLASSES,
        "inputs": "classes",
        "embedding": None,
        "readout": None,
        "head_bias": True,
        "word_dropout": 0.0,
        "embedding_dropout": 0.0,
        "input_dropout": 0.0,
        "tied": False,
        "embedding_range": None,
        "convolution": None,
        "options": {"decay": 0.5},
    }
    backbone = models.from_config(kept).backbone
    assert isinstance(backbone, nn.FastWeightRNN) and backbone.decay == 0.5


def test_features_need_no_tokens():
    model = SequenceModel(torch.nn.Linear(2, 5), nn.LSTM(5, 6), torch.nn.Linear(6, 3))
    assert model(torch.randn(4, 7, 2))[0].shape == (4, 7, 3)
    assert model.config is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "lstmm"}, "did you mean 'lstm'"),
        ({"options": {"decays": 1}}, "did you mean 'decay'"),
        ({"hidden": 0}, "hidden"),
        ({"input": -1}, "input"),
        ({"classes": 0}, "classes"),
        ({"embedding": 0}, "embedding"),
        ({"readout": -2}, "readout"),
        ({"name": 3}, "unknown model .3."),
        ({"options": 3}, "mapping"),
        ({"options": {"decay": None}}, "decay"),
        ({"embeding": 3}, "did you mean 'embedding'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_slips_in_a_configuration(change, word):
    with pytest.raises(UserError, match=word):
        models.from_config({**config(), **change})


def test_a_configuration_with_a_key_missing():
    with pytest.raises(UserError, match="classes"):
        models.from_config({"name": "lstm", "input": 3, "hidden": 4})


def test_parts_that_do_not_fit():
    with pytest.raises(UserError, match=r"5.*9"):
        SequenceModel(OneHot(5), nn.LSTM(9, 6), torch.nn.Linear(6, 3))
    with pytest.raises(UserError, match=r"7.*6"):
        SequenceModel(OneHot(9), nn.LSTM(9, 6), torch.nn.Linear(7, 3))


def test_a_head_without_bias_starts_xavier_normal():
    head = built(classes=2000, head_bias=False).head
    assert head.bias is None
    assert head.weight.detach().std() == pytest.approx((2 / (6 + 2000)) ** 0.5, rel=0.05)


@pytest.mark.parametrize("embedding", [None, 5])
def test_input_dropout_drops_features_of_vectors_in_training_alone(embedding):
    model = built("lstm", inputs="vectors", embedding=embedding, input_dropout=0.5)
    plain = built("lstm", inputs="vectors", embedding=embedding)
    plain.load_state_dict(
        {n.replace("encoder.1.", "encoder.0."): w for n, w in model.state_dict().items()}
    )
    x = torch.randn(3, 7, INPUT, dtype=torch.float64)
    torch.testing.assert_close(model.eval()(x)[0], plain.eval()(x)[0])
    dropped = model.train().encoder[0](torch.ones(40, 7, INPUT))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert 0.4 < (dropped == 0).float().mean() < 0.6
    assert not torch.equal(dropped[:, 0], dropped[:, 1])


@pytest.mark.parametrize("name", ["fwm", "lstm", "deltanet", "transformer-xl", "gated-deltanet"])
@pytest.mark.parametrize("embedding", [None, 5])
def test_the_last_steps_logits_are_those_of_all_steps(name, embedding):
    """Where a memory is read outside the recurrence, it is then read at the last step alone."""
    model, x = built(name, embedding=embedding).eval(), tokens()
    mask = torch.tensor([[True] * 7, [True] * 3 + [False] * 4, [False] * 2 + [True] * 5])
    whole, _ = model(x, mask=mask)
    last, _ = model(x, mask=mask, last_only=True)
    torch.testing.assert_close(last, whole[range(3), [6, 2, 6]])
    torch.testing.assert_close(model(x, last_only=True)[0], model(x)[0][:, -1])
    torch.testing.assert_close(model(x[0], last_only=True)[0], model(x[0])[0][-1])


@pytest.mark.parametrize("name", ["fwm", "lstm", "deltanet"])
def test_logits_at_chosen_steps_are_those_of_all_steps(name):
    model = built(name, embedding=5)
    x, at = tokens(), torch.rand(3, 7, generator=torch.Generator().manual_seed(2)) < 0.4
    logits, state = model(x)
    chosen, after = model(x, at=at)
    torch.testing.assert_close(chosen, logits[at])
    for one, other in zip(states.tensors(state), states.tensors(after), strict=True):
        torch.testing.assert_close(one, other)
    assert model(x, at=torch.zeros_like(at))[0].shape == (0, CLASSES)


def test_dropouts_of_the_embedding():
    model = built("residual-lstm", embedding=5, word_dropout=0.5, embedding_dropout=0.1)
    x = tokens()
    assert not torch.equal(model(x)[0], model(x)[0])
    assert torch.equal(model.eval()(x)[0], model(x)[0])
    with pytest.raises(UserError, match="need an embedding"):
        built(word_dropout=0.5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["fwm", "lstm", "deltanet"])
@pytest.mark.parametrize("embedding", [None, 5])
def test_tokens_that_are_none(name, embedding):
    """A wrong token is one line that names it, wherever it is looked up; a narrower integer is none."""
    model, x = built(name, embedding=embedding), tokens()
    torch.testing.assert_close(model(x.int())[0], model(x)[0], rtol=0, atol=0)
    for wrong in (-1, INPUT):
        spoiled = x.clone()
        spoiled[1, 2] = wrong
        calls = (
            lambda spoiled=spoiled: model(spoiled),
            lambda spoiled=spoiled: model.trace(spoiled),
            lambda spoiled=spoiled: model.step(spoiled[:, 2]),
            lambda spoiled=spoiled: model.stepper(3, 7)(spoiled[:, 2]),
        )
        for call in calls:
            with pytest.raises(UserError, match=f"class {wrong} .*0 to {INPUT - 1}"):
                call()
    with pytest.raises(UserError, match=r"int16.*int64"):
        model(x.short())


@pytest.mark.parametrize("given", [[[0, 1]], torch.zeros(1, 2).long().numpy(), None], ids=type)
@pytest.mark.parametrize("embedding", [None, 3])
@pytest.mark.parametrize("name", ["lstm", "deltanet"])
def test_what_is_no_tensor_is_refused(name, embedding, given, unchecked):
    config = models.model_config(name, input=5, hidden=4, classes=5, embedding=embedding)
    model, tokens = models.from_config(config), torch.zeros(1, 2, dtype=torch.long)
    for call in (model, model.step, model.trace, model.stepper(1, 2)):
        with pytest.raises(
            UserError, match=f"input is a {type(given).__name__}; accepted: a tensor"
        ):
            call(given)
    for name in ("mask", "read_mask", "at"):
        with pytest.raises(UserError, match=f"{name} is a list; accepted: a tensor"):
            model(tokens, last_only=True, **{name: [[True, True]]})
