"""What the recurrence refuses, and how it says so."""

import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError

B, T, H = 2, 3, 4


def good():
    return {
        "drive": torch.zeros(B, T, H),
        "recurrent_weight": torch.zeros(H, H),
        "decay": 0.9,
        "rate": 0.5,
    }


norm = {"norm_weight": torch.ones(H), "norm_bias": torch.zeros(H)}
preliminary = {"preliminary_norm_weight": torch.ones(H), "preliminary_norm_bias": torch.zeros(H)}

WRONG = {
    "drive without time": ({"drive": torch.zeros(B, H)}, r"drive has shape \[2, 4\]; accepted"),
    "whole drive": ({"drive": torch.zeros(B, T, H, dtype=torch.long)}, "drive is torch.int64"),
    "no units": ({"drive": torch.zeros(B, T, 0)}, "no hidden units"),
    "W of another size": ({"recurrent_weight": torch.zeros(5, 5)}, r"recurrent_weight has shape \[5, 5\]"),
    "W of another type": ({"recurrent_weight": torch.zeros(H, H).double()}, "is torch.float64, drive torch.float32"),
    "W elsewhere": ({"recurrent_weight": torch.zeros(H, H, device="meta")}, "recurrent_weight is on meta"),
    "gain alone": ({"norm_weight": torch.ones(H)}, "norm_weight and norm_bias come together"),
    "bias alone": ({"preliminary_norm_bias": torch.ones(H)}, "preliminary_norm_bias come together"),
    "gain of another size": (norm | {"norm_weight": torch.ones(5)}, r"norm_weight has shape \[5\]"),
    "h of another batch": ({"hidden": torch.zeros(3, H)}, r"hidden has shape \[3, 4\]; accepted: \[2, 4\]"),
    "h of another type": ({"hidden": torch.zeros(B, H).double()}, "hidden is torch.float64"),
    "A of another layer": ({"memory": torch.zeros(B, 5, 5)}, r"memory has shape \[2, 5, 5\]; accepted: \[2, 4, 4\]"),
    "A without batch": ({"memory": torch.zeros(H, H)}, "memory has shape"),
    "endless decay": ({"decay": float("inf")}, "decay is inf; accepted: a finite number"),
    "rate not a number": ({"rate": float("nan")}, "rate is nan"),
    "decay of many": ({"decay": torch.ones(H)}, "decay is a torch.float32 tensor of shape"),
    "decay in words": ({"decay": "0.9"}, "decay is a str"),
    "no inner step": ({"inner_steps": 0}, "inner_steps is 0; accepted: a whole number, 1 or more"),
    "half a step": ({"inner_steps": 1.5}, "inner_steps is 1.5"),
    "misspelt f": ({"nonlinearity": "rleu"}, "unknown nonlinearity 'rleu'; did you mean 'relu'"),
    "misspelt form": ({"form": "inne"}, "unknown form 'inne'; did you mean 'inner'"),
    "misspelt backend": ({"backend": "chunkd"}, "unknown backend 'chunkd'; did you mean 'chunked'"),
    "backend that is not there": ({"backend": "metal"}, "unknown backend 'metal'; accepted: auto, chunked, cpu"),
    "flat with steps": ({"form": "flat", "inner_steps": 2}, "form 'flat' has one nonlinearity a step"),
    "flat with preliminary": ({"form": "flat"} | preliminary, "form 'flat' has one nonlinearity a step"),
    "no epsilon": ({"norm_eps": 0.0}, "norm_eps is 0.0"),
    "no chunk": ({"chunk": 0}, "chunk is 0; accepted: a whole number, 1 or more"),
    "mask of another length": ({"mask": torch.ones(B, 9, dtype=torch.bool)}, r"mask is torch.bool \[2, 9\]"),
    "mask of numbers": ({"mask": torch.ones(B, T)}, "mask is torch.float32"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, message", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_refused_in_one_line(wrong, message, unchecked):
    with pytest.raises(UserError, match=message) as refusal:
        ops.fast_weight_rnn(**good() | wrong)
    assert "\n" not in str(refusal.value)


def test_the_arguments_they_are_made_from_are_good(unchecked):
    """So each refusal above has one cause."""
    outputs, _, _ = ops.fast_weight_rnn(**good() | norm | preliminary)
    assert outputs.shape == (B, T, H)


@pytest.mark.parametrize("inner_steps", [True, "1"])
def test_inner_steps_of_another_kind(inner_steps, unchecked):
    with pytest.raises(UserError, match="inner_steps"):
        ops.fast_weight_rnn(**good(), inner_steps=inner_steps)
