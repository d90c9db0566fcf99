"""Dynamic quantisation: layers that call their modules come out right, ones that read weights name the module."""

import copy
import warnings

import pytest
import torch
from torch.ao.quantization import quantize_dynamic

from fastweights import models
from fastweights.errors import UserError

TIME = 6
READ = {"mnm": "recurrent", "fast-weights": "recurrent", "fast-weights-flat": "recurrent"}
CALLED = ("fwm", "lstm", "residual-lstm", "awd-lstm", "awd-fwm", "linear-attention", "deltanet",
          "gated-deltanet", "associative-lstm", "transformer-xl", "irnn", "rnn", "rnn-ln", "gru-ln")  # fmt: skip


def quantised(name):
    torch.manual_seed(0)
    config = models.model_config(name, input=20, hidden=16, classes=20, embedding=16)
    model = models.from_config(config).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, that its tool moved
        return model, quantize_dynamic(copy.deepcopy(model), dtype=torch.qint8)


def ways(model, x):
    """The logits whole, in two pieces and step by step."""
    first, state = model(x[:, :2])
    stepper = model.stepper(len(x), TIME)
    yield model(x)[0]
    yield torch.cat([first, model(x[:, 2:], state)[0]], 1)
    yield torch.stack([stepper(x[:, t]) for t in range(TIME)], 1)


@torch.no_grad()
@pytest.mark.parametrize("name", CALLED)
def test_the_numbers_are_near_the_exact_ones(name):
    """Eight bits are some percent off; another weight, or none, all of it."""
    model, small = quantised(name)
    x = torch.randint(20, (2, TIME))
    true, _ = model(x)
    for found in ways(small, x):
        assert (found - true).norm() < 0.1 * true.norm()


@torch.no_grad()
@pytest.mark.parametrize("name", READ)
def test_a_weight_that_is_read_is_refused_by_name(name):
    _, small = quantised(name)
    x, wanted = torch.randint(20, (2, TIME)), rf"^\w+\.{READ[name]} is a Linear"
    calls = (small, lambda x: small.step(x[:, 0]), lambda x: small.stepper(2, TIME)(x[:, 0]))
    for call in calls:
        with pytest.raises(UserError, match=wanted):
            call(x)
    assert type(small.backbone).__name__ in repr(small)
