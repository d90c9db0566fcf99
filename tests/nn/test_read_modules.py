"""Modules whose weights a layer reads: what acts at a call of them acts, or is refused by name."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import fastweights
import fastweights.nn as fnn
from fastweights import models
from fastweights.errors import UserError
from fastweights.nn.parts.plain import is_plain


class Adapted(nn.Linear):
    """Adds to what a linear layer gives, as an adapter does."""

    def forward(self, x):
        added = torch.linspace(0, 1, self.out_features)
        return super().forward(x) + x.sum(-1, keepdim=True) * added


def adapt(module):
    new = Adapted(module.in_features, module.out_features, bias=module.bias is not None)
    new.load_state_dict(module.state_dict())
    return new


def steps(layer, x):
    ys, state = [], None
    for x_t in x.unbind(1):
        y, state = layer.step(x_t, state)
        ys.append(y)
    return torch.stack(ys, 1)


def _mnm():
    return fnn.MetalearnedNeuralMemory(8, 16, memory_size=4)


def _rnn():
    return fastweights.FastWeightRNN(8, 16)


REFUSED = [(_rnn, "recurrent")] + [
    (_mnm, name) for name in ("recurrent", "interface", "strength", "targets")
]


@pytest.mark.parametrize(("build", "name"), REFUSED)
@pytest.mark.parametrize("change", ["adapter", "hook", "global hook", "own forward"])
def test_what_a_call_would_do_more_is_refused_by_name(build, name, change, request):
    layer, x = build(), torch.randn(2, 6, 8)
    module = getattr(layer, name)
    if change == "adapter":
        setattr(layer, name, adapt(module))
    elif change == "hook":
        module.register_forward_hook(lambda module, given, result: result + 1)
    elif change == "own forward":
        module.forward = lambda x: 2 * x
    else:
        hook = nn.modules.module.register_module_forward_hook(lambda module, given, result: None)
        request.addfinalizer(hook.remove)
    for run in (layer, lambda x: layer.step(x[:, 0])):
        with pytest.raises(
            UserError,
            match=rf"{type(layer).__name__}\.{name if change != 'global hook' else '.*'} is a",
        ):
            run(x)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: fnn.AssociativeLSTM(8, 16), "recurrent"),
        (_rnn, "input"),
        (_mnm, "input"),
        (lambda: fnn.LayerNormRNN(8, 16), "input"),
        (lambda: fnn.LayerNormGRU(8, 16), "input"),
    ],
)
def test_an_adapter_acts_whole_by_steps_and_on_classes(build, name):
    layer, tokens = build().eval(), torch.randint(8, (2, 6))
    x = nn.functional.one_hot(tokens, 8).float()
    before = layer(x)[0]
    setattr(layer, name, adapt(getattr(layer, name)))
    y = layer(x)[0]
    assert (y - before).abs().max() > 1e-5
    torch.testing.assert_close(steps(layer, x), y, rtol=1e-4, atol=1e-4)
    if layer.takes_classes:
        torch.testing.assert_close(layer(tokens)[0], y, rtol=1e-4, atol=1e-4)


def test_an_adapter_on_attention_acts_on_short_inputs():
    layer, x = fnn.TransformerXL(16, 16, memory_length=8).eval(), torch.randn(2, 1, 16)
    before = layer(x)[0]
    first = next(part for part in layer.modules() if hasattr(part, "key_value"))
    first.key_value = adapt(first.key_value)
    assert (layer(x)[0] - before).abs().max() > 1e-3


RECOMPUTED = {
    "pruned": lambda module, name: prune.l1_unstructured(module, name, 0.5),
    "weight norm": weight_norm,
    "spectral norm": spectral_norm,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("hook", RECOMPUTED)
def test_an_lstm_with_recomputed_weights_trains_as_torchs(hook, backend):
    torch.manual_seed(0)
    layer, x = fnn.LSTM(8, 16, backend=backend), torch.randn(2, 5, 8)
    like = nn.LSTM(8, 16, batch_first=True)
    like.load_state_dict(layer.rnn.state_dict())
    for module in (layer.rnn, like):
        torch.manual_seed(1)
        RECOMPUTED[hook](module, "weight_hh_l0")
    optimisers = [torch.optim.SGD(module.parameters(), 0.1) for module in (layer, like)]
    for _ in range(3):
        for module, optimiser in zip((layer, like), optimisers, strict=True):
            optimiser.zero_grad()
            module(x)[0].square().sum().backward()
            optimiser.step()
    torch.testing.assert_close(layer(x)[0], like(x)[0], rtol=1e-4, atol=1e-5)
    if hook == "pruned":
        assert (layer.rnn.weight_hh_l0 == 0).sum() == 512
        torch.testing.assert_close(steps(layer, x), like(x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "build", [_rnn, _mnm, lambda: fnn.AssociativeLSTM(8, 16), lambda: fnn.LSTM(8, 16)]
)
def test_pruned_weights_are_those_of_now_whole_and_by_steps(build):
    layer, x = build(), torch.randn(2, 5, 8)
    module = layer.rnn if hasattr(layer, "rnn") else layer.recurrent
    name = "weight_hh_l0" if hasattr(layer, "rnn") else "weight"
    prune.l1_unstructured(module, name, 0.5)
    for _ in range(2):
        layer(x)[0].sum().backward()
    layer.eval()
    with torch.no_grad():
        getattr(module, f"{name}_orig").mul_(0.5)
        y = layer(x)[0]
        bare = copy.deepcopy(layer.requires_grad_(False))
        bare_module = bare.rnn if hasattr(bare, "rnn") else bare.recurrent
        prune.remove(bare_module, name)
        torch.testing.assert_close(y, bare(x)[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(steps(layer, x), y, rtol=1e-4, atol=1e-4)


TAKE_EMBEDDED = ["fwm", "lstm", "residual-lstm", "awd-lstm", "awd-fwm"]


@pytest.mark.parametrize("backbone", TAKE_EMBEDDED)
def test_a_hook_on_the_embedding_acts_whole_and_by_steps(backbone):
    config = models.model_config(backbone, input=20, hidden=8, classes=20, embedding=8)
    model, tokens = models.from_config(config).eval(), torch.randint(20, (2, 6))
    before, _ = model(tokens)
    embedding = next(part for part in model.modules() if isinstance(part, nn.Embedding))
    embedding.register_forward_hook(lambda module, given, result: result + 10)
    after, _ = model(tokens)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(model.step(tokens[:, 0])[0], after[:, 0], rtol=1e-4, atol=1e-4)


def test_a_subclass_of_an_embedding_is_called():
    class Shifted(models.DroppedEmbedding):
        def forward(self, input):
            return super().forward(input) + 10

    model = models.SequenceModel(Shifted(20, 8), fnn.LSTM(8, 8), nn.Linear(8, 20)).eval()
    tokens = torch.randint(20, (2, 6))
    torch.testing.assert_close(model.step(tokens[:, 0])[0], model(tokens)[0][:, 0])


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm", "orthogonal"])
def test_parametrised_weights_are_plain_and_those_of_an_adapter_are_not(name):
    wrap = getattr(parametrizations, name)
    assert is_plain(wrap(nn.Linear(2, 2))) and not is_plain(wrap(Adapted(2, 2)))
