"""What the memories refuse, and how they say so."""

import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError

B, T, K1, K2, R = 2, 3, 4, 5, 2


def good():
    """Two key factors and a chain of reads."""
    return {
        "keys": (torch.zeros(B, T, K1), torch.zeros(B, T, K2)),
        "values": torch.zeros(B, T, K1),
        "strength": torch.zeros(B, T),
        "queries": (torch.zeros(B, T, K1), torch.zeros(B, T, R, K2)),
        "memory": torch.zeros(B, K1, K2, K1),
    }


first, second = good()["keys"]
n, e = good()["queries"]
single = {"keys": (first,), "memory": torch.zeros(B, K1, K1)}
unread = single | {"queries": None}
by_feature = torch.zeros(B, T, 1)

WRONG = {
    "keys without a tuple": ({"keys": first}, "keys is a Tensor; accepted: a tuple of 1 or 2 tensors"),
    "three keys": ({"keys": (first, first, first)}, "keys is a tuple of 3"),
    "values without time": ({"values": torch.zeros(B, K1)}, r"values has shape \[2, 4\]; accepted: \[batch, time"),
    "whole values": ({"values": torch.zeros(B, T, K1, dtype=torch.long)}, "values is torch.int64"),
    "shorter keys": ({"keys": (first, torch.zeros(B, 9, K2))}, r"keys\[1\] has shape \[2, 9, 5\]; accepted: \["),
    "keys of no features": ({"keys": (first[..., :0], second)}, r"keys have \[0, 5\] features .* accepted: 1 or more"),
    "keys of another type": ({"keys": (first, second.double())}, r"keys\[1\] is torch.float64, values torch.float32"),
    "strength with features": ({"strength": torch.zeros(B, T, 1)}, r"strength has shape \[2, 3, 1\]; accepted: \["),
    "strength elsewhere": ({"strength": torch.zeros(B, T, device="meta")}, "strength is on meta, values on cpu"),
    "queries without a tuple": ({"queries": n}, r"queries is a Tensor; accepted: \(n, e\) for 2 key factors"),
    "one query for two keys": ({"queries": (n,)}, r"queries is a tuple of 1; accepted: \(n, e\)"),
    "two queries for one key": (single, r"queries is a tuple of 2; accepted: \(q,\) for 1 key factor"),
    "n of another size": ({"queries": (torch.zeros(B, T, 9), e)}, r"queries\[0\] has shape \[2, 3, 9\]; accepted"),
    "e without reads": ({"queries": (n, torch.zeros(B, T, K2))}, r"queries\[1\] .* accepted: \[2, 3, reads, 5\]"),
    "no reads": ({"queries": (n, e[:, :, :0])}, r"queries\[1\] has no reads"),
    "a chain that breaks": ({"values": torch.zeros(B, T, 7), "memory": None}, r"2 reads .* 7 features, keys\[0\] 4"),
    "memory of another size": ({"memory": torch.zeros(B, K1, K2, 9)}, r"memory .* 9\]; accepted: \[2, 4, 5, 4\]"),
    "memory of another combination": ({"combine": "concat"}, r"memory has shape \[2, 4, 5, 4\]; accepted: \[2, 9, 4\]"),
    "memory of another type": ({"memory": torch.zeros(B, K1, K2, K1).double()}, "memory is torch.float64"),
    "misspelt rule": ({"rule": "dleta"}, "unknown rule 'dleta'; did you mean 'delta'"),
    "misspelt combination": ({"combine": "prodcut"}, "unknown combine 'prodcut'; did you mean 'product'"),
    "misspelt gate": ({"gate": "norms"}, r"gate is 'norms'; accepted: None, 'norm', or a tensor \[2, 3\]"),
    "gate by feature, two keys": ({"gate": by_feature}, r"gate .* \[2, 3, 1\]: a decay for each .* not for two"),
    "gate of another shape": (unread | {"gate": by_feature}, r"gate .* accepted: \[2, 3, 4\]"),
    "gate of other steps": ({"gate": torch.zeros(B, 9)}, r"gate has shape \[2, 9\]; accepted: \[2, 3\]"),
    "erase with two keys": ({"erase": first}, "erase is for one key factor, not for two"),
    "erase of Hebb's rule": (unread | {"rule": "hebbian", "erase": first}, "'hebbian' erases nothing"),
    "erase and the clamp": (unread | {"gate": "norm", "erase": first}, "not with 'norm'"),
    "erase of another size": (unread | {"erase": torch.zeros(B, T, 9)}, r"erase .* accepted: \[2, 3, 4\]"),
    "a number for LN": ({"read_norm": 1}, "read_norm is 1; accepted: True or False"),
    "no epsilon": ({"norm_eps": 0.0}, "norm_eps is 0.0; accepted: more than 0"),
    "no chunk": ({"chunk": 0}, "chunk is 0; accepted: a whole number, 1 or more, or None"),
    "shorter mask": ({"mask": torch.ones(B, 9, dtype=torch.bool)}, r"mask .* accepted: torch.bool \[2, 3\]"),
    "read mask of numbers": ({"read_mask": torch.ones(B, T)}, "read_mask is torch.float32"),
    "misspelt backend": ({"backend": "chunkd"}, "unknown backend 'chunkd'; did you mean 'chunked'"),
    "backend that is not there": ({"backend": "metal"}, "unknown backend 'metal'; accepted: auto, chunked, cpu"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, message", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_refused_in_one_line(wrong, message, unchecked):
    with pytest.raises(UserError, match=message) as refusal:
        ops.delta_memory(**good() | wrong)
    assert "\n" not in str(refusal.value)


def test_the_arguments_they_are_made_from_are_good(unchecked):
    """So each refusal above has one cause."""
    assert ops.delta_memory(**good())[0].shape == (B, T, K1)
    assert ops.delta_memory(**good() | single | {"queries": (n,)})[0].shape == (B, T, K1)


def test_a_mask_may_have_all_leading_dimensions_or_the_first(unchecked):
    heads = {"keys": (torch.zeros(B, 7, T, K1),), "values": torch.zeros(B, 7, T, K2)}
    heads["strength"] = torch.zeros(B, 7, T)
    for shape in [(B, T), (B, 7, T)]:
        ops.delta_memory(**heads, mask=torch.ones(shape, dtype=torch.bool))
    with pytest.raises(UserError, match=r"accepted: torch.bool \[2, 7, 3\] or \[2, 3\]"):
        ops.delta_memory(**heads, mask=torch.ones(7, T, dtype=torch.bool))


NAMES = ["keys[0]", "keys[1]", "values", "strength", "gate", "queries[0]", "queries[1]"]


@pytest.fixture
def finite():
    """Random arguments by name, as `ops.delta_memory` takes them and flat."""
    flat = {name: torch.rand(B, 6, K1) for name in ("keys[0]", "keys[1]", "values", "queries[0]")}
    flat |= {name: torch.rand(B, 6) for name in ("strength", "gate")}
    return flat | {"queries[1]": torch.rand(B, 6, R, K1), "memory": torch.rand(B, K1, K1, K1)}


def run(flat, **options):
    pairs = {name: (flat[f"{name}[0]"], flat[f"{name}[1]"]) for name in ("keys", "queries")}
    rest = {name: flat[name] for name in ("values", "strength", "gate", "memory")}
    return ops.delta_memory(**pairs, **rest, **options)


@pytest.mark.parametrize("bad", [float("nan"), -float("inf")])
@pytest.mark.parametrize("name", NAMES)
def test_a_number_that_is_not_finite_is_named(name, bad, finite, memory_ways):
    run(finite, **memory_ways)
    for step, row in ((4, 0), (2, 1)):
        finite[name][row, step] = bad
        message = f"{name} is not finite at step {step}; accepted: finite numbers"
        with pytest.raises(UserError) as refusal:
            run(finite, **memory_ways)
        assert str(refusal.value) == message


def test_a_memory_that_is_not_finite_is_named(finite, memory_ways):
    finite["memory"][1, 2, 3, 0] = float("nan")
    with pytest.raises(UserError, match="memory holds numbers that are not finite"):
        run(finite, **memory_ways)


@pytest.mark.parametrize("name", NAMES)
def test_padding_may_hold_anything(name, finite, memory_ways):
    mask = torch.tensor([[True] * 4 + [False] * 2, [False] + [True] * 5])
    finite[name][~mask] = float("nan")
    assert all(result.isfinite().all() for result in run(finite, mask=mask, **memory_ways))
    finite[name][1, 3] = float("nan")
    with pytest.raises(UserError, match="is not finite at step 3"):
        run(finite, mask=mask, **memory_ways)


def test_a_memory_that_overflows_is_no_error_of_the_arguments(finite, memory_ways):
    """β ‖k‖² of thousands without a clamp: infinite, as the equation has it, and not refused."""
    finite["keys[0]"] *= 1e9
    finite["keys[1]"] *= 1e9
    assert not run(finite, **memory_ways)[1].isfinite().all()
