"""One matrix for embedding and softmax: one parameter wherever the model goes, and the published size."""

import copy

import pytest
import torch

from fastweights import models, runs
from fastweights.errors import UserError
from fastweights.runs import Run

WORDS, SIZE = 11, 5


def config(name="awd-fwm", **other):
    sizes = {"input": WORDS, "hidden": 6, "classes": WORDS, "embedding": SIZE}
    return models.model_config(name, **{**sizes, "tied": True, **other})


def is_tied(model):
    return model.head.weight is model.encoder.weight


def tokens():
    return torch.randint(WORDS, (2, 7), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dropped", [{}, {"word_dropout": 0.1, "embedding_dropout": 0.5}])
def test_it_is_one_parameter_with_both_gradients(dropped):
    model = models.from_config(config(**dropped)).double().eval()
    assert is_tied(model) and not model.head.bias.any()
    names = [name for name, _ in model.named_parameters()]
    assert "encoder.weight" in names and "head.weight" not in names
    separate = models.from_config(config(**dropped, tied=False)).double().eval()
    separate.load_state_dict(model.state_dict())
    assert not is_tied(separate)
    for each in (model, separate):
        each(tokens())[0].square().sum().backward()
    both = separate.encoder.weight.grad + separate.head.weight.grad
    torch.testing.assert_close(model.encoder.weight.grad, both)


def test_penn_treebank_as_published():
    """10,000 words, vectors of 400, three LSTMs of 1,150, 1,150 and 400, and a memory of 32."""
    sizes = {"input": 10_000, "hidden": 1150, "classes": 10_000, "embedding": 400}
    with torch.device("meta"):
        model = models.from_config(config(**sizes))
    assert sum(weight.numel() for weight in model.parameters()) == 24_325_025


def test_it_stays_one_in_copies_moves_and_runs(tmp_path):
    model = models.from_config(config(embedding_range=0.25)).eval()
    assert is_tied(copy.deepcopy(model)) and is_tied(copy.deepcopy(model).double())
    assert is_tied(models.from_config(model.config))
    run = Run.create(tmp_path / "run", {"model": model.config})
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    run.save_checkpoint(1, weights, {})
    loaded = runs.load(run.folder)
    assert is_tied(loaded) and loaded.config == model.config
    torch.testing.assert_close(loaded(tokens())[0], model(tokens())[0], rtol=0, atol=0)


def forward(model):
    return model.eval()(tokens())[0]


@pytest.mark.parametrize("name", ["awd-fwm", "fwm", "lstm"])
def test_it_stays_one_if_made_without_memory(name):
    made = models.from_config(config(name, hidden=SIZE))
    for load in ({"assign": True}, {}):
        with torch.device("meta"):
            bare = models.from_config(made.config)
        around = torch.nn.Sequential(bare)  # a part of another module too
        if not load:
            around.to_empty(device="cpu")
            assert is_tied(bare)
        around.load_state_dict(torch.nn.Sequential(made).state_dict(), **load)
        assert is_tied(bare)
        torch.testing.assert_close(forward(bare), forward(made), rtol=0, atol=0)
        assert is_tied(copy.deepcopy(bare))


def test_a_shared_weight_saved_once_is_put_in_both_places():
    made = models.from_config(config())
    with torch.device("meta"):
        bare = models.from_config(made.config)
    once = {name: tensor for name, tensor in made.state_dict().items() if name != "head.weight"}
    assert bare.load_state_dict(once, assign=True, strict=False).missing_keys == ["head.weight"]
    assert is_tied(bare)
    torch.testing.assert_close(forward(bare), forward(made), rtol=0, atol=0)


def test_an_embedding_starts_in_its_range():
    weight = models.from_config(config(input=2000, classes=2000, embedding_range=0.25)).head.weight
    assert 0.24 < weight.detach().max() <= 0.25 and -0.25 <= weight.detach().min() < -0.24
    assert weight.detach().std() == pytest.approx(0.25 / 3**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": 7}, "11 classes in, 7 out"),
        ({"readout": 4}, "readout of 4"),
        ({"embedding": None}, "of an embedding"),
        ({"inputs": "vectors"}, "of an embedding"),
        ({"name": "lstm"}, "embedding of 5 .* with 6 output"),
        ({"options": {"output_size": 4}}, "embedding of 5 .* with 4 output"),
        ({"embedding_range": -1.0}, "embedding_range"),
        ({"tied": False, "embedding": None, "embedding_range": 0.1}, "of an embedding"),
    ],
)
def test_what_cannot_be_tied(change, words):
    with pytest.raises(UserError, match=words):
        models.from_config(config(**change))
