"""The LSTM's recurrence against `torch.nn.LSTM`, and what holds of it whatever the numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lstm_truth import arguments, by_op, by_torch, check, run

from fastweights import ops
from fastweights.errors import UserError
from ways import WAYS

SIZES = [(1, 1, 1), (3, 7, 9), (4, 1, 16), (9, 11, 50), (2, 40, 64), (33, 5, 70), (300, 3, 5)]


@pytest.fixture(scope="session")
def backend(lstm_ways):
    return lstm_ways["backend"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", [True, False], ids=["carried", "zero"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_it_is_torch_nn_lstm(size, state, dtype, backend):
    given = arguments(*size, dtype=dtype, state=state)
    check(run(by_op, given, backend=backend), run(by_torch, given), dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("index", [torch.int64, torch.int32])
def test_gates_looked_up_by_class(size, dtype, index, backend):
    given = arguments(*size, dtype=dtype, classes=6)
    given["classes"] = given["classes"].to(index)
    check(run(by_op, given, backend=backend), run(by_torch, given), dtype)


@pytest.mark.parametrize("used", [0, 1, 2])
def test_gradients_where_one_result_alone_is_used(used, backend):
    given = arguments()
    directions = [None, None, None]
    directions[used] = torch.randn_like(by_op(**given)[used])
    found = run(by_op, given, directions, backend=backend)
    check(found, run(by_torch, given, directions), torch.float64)


def test_one_state_without_the_other(backend):
    for missing in ("hidden", "cell"):
        given = arguments()
        zero = torch.zeros_like(given[missing])
        found = by_op(**given | {missing: None}, backend=backend)
        for a, b in zip(found, by_torch(**given | {missing: zero}), strict=True):
            torch.testing.assert_close(a, b)


@given(
    lengths=st.lists(st.integers(0, 6), min_size=5, max_size=5),
    before=st.lists(st.booleans(), min_size=5, max_size=5),
    garbage=st.sampled_from([0.0, 1e30, float("nan"), float("inf")]),
    looked_up=st.booleans(),
    state=st.booleans(),
)
def test_a_padded_row_is_the_row_alone(backend, lengths, before, garbage, looked_up, state):
    given = arguments(5, 6, 4, state=state, classes=3 if looked_up else None)
    steps = torch.arange(6)
    mask = torch.stack(
        [steps >= 6 - n if b else steps < n for n, b in zip(lengths, before, strict=True)]
    )
    padded = dict(given)
    if looked_up:
        padded["classes"] = torch.where(mask, given["classes"], -7)
    else:
        padded["gates"] = torch.where(mask[:, :, None], given["gates"], garbage)
    results = run(by_op, padded, mask=mask, backend=backend)
    assert (results[0][~mask] == 0).all()
    assert all(x.isfinite().all() for x in results)

    def alone(gates, recurrent_weight, *, hidden, cell, classes):
        """Every row by itself at its own length."""
        found = []
        for row, real in enumerate(mask):
            found.append(
                ops.lstm(
                    gates[row : row + 1, real] if classes is None else gates,
                    recurrent_weight,
                    hidden=None if hidden is None else hidden[row : row + 1],
                    cell=None if cell is None else cell[row : row + 1],
                    classes=None if classes is None else classes[row : row + 1, real],
                    backend="reference",
                )
            )
        y = torch.zeros(5, 6, 4, dtype=torch.float64).index_put(
            mask.nonzero(as_tuple=True), torch.cat([y[0] for y, _, _ in found])
        )
        y = y + 0 * (
            gates.sum() + recurrent_weight.sum()
        )  # so that rows without steps have gradients
        return y, *(torch.cat(states) for states in list(zip(*found, strict=True))[1:])

    check(results, run(alone, given), torch.float64)


def test_a_sequence_may_be_split_anywhere(backend):
    given = arguments(4, 9, 20)
    whole = by_op(**given, backend=backend)
    first = by_op(**given | {"gates": given["gates"][:, :4]}, backend=backend)
    rest = {"gates": given["gates"][:, 4:], "hidden": first[1], "cell": first[2]}
    second = by_op(**given | rest, backend=backend)
    torch.testing.assert_close(torch.cat((first[0], second[0]), 1), whole[0])
    torch.testing.assert_close(second[1:], whole[1:])


def test_nothing_to_run(backend):
    given = arguments(3, 0, 4)
    outputs, h, c = by_op(**given, backend=backend)
    assert outputs.shape == (3, 0, 4)
    assert torch.equal(h, given["hidden"]) and torch.equal(c, given["cell"])
    assert not by_op(**arguments(3, 0, 4, state=False), backend=backend)[2].any()
    results = run(by_op, arguments(0, 3, 4), backend=backend)
    assert results[0].shape == (0, 3, 4) and not results[4].any()


def test_nan_stays_in_its_row(backend):
    given = arguments(6, 5, 20, state=False)
    given["gates"][1, 2, 0] = float("nan")
    bad = by_op(**given, backend=backend)[0].isnan().any(2)
    assert bad[1].tolist() == [False, False, True, True, True] and bad.sum() == 3


def test_a_saturated_gate_has_no_slope(backend):
    """Not even next to none: the gradient by W takes it times h(0), which may be large."""
    given = arguments(2, 3, 5, dtype=torch.float32)
    given["hidden"][:, 0] = 1e38
    given["recurrent_weight"][:, 0] = -given["recurrent_weight"][:, 0].abs()
    check(run(by_op, given, backend=backend), run(by_torch, given), torch.float32)


def test_strides_do_not_matter(backend):
    given = arguments(4, 5, 20)
    strided = {name: None if x is None else x.mT.contiguous().mT for name, x in given.items()}
    for a, b in zip(
        by_op(**strided, backend=backend), by_op(**given, backend=backend), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("gates_type", [torch.float32, torch.bfloat16])
def test_autocast_keeps_the_recurrence_in_single(gates_type, backend):
    given = arguments(3, 20, 8, dtype=torch.float32)
    given["gates"] = given["gates"].to(gates_type)
    with torch.autocast("cpu", torch.bfloat16):
        found = by_op(**given, backend=backend)
    true = by_op(**given | {"gates": given["gates"].float()}, backend=backend)
    assert [x.dtype for x in found] == [torch.bfloat16, torch.float32, torch.float32]
    assert torch.equal(found[0], true[0].bfloat16()) and torch.equal(found[2], true[2])


def test_half_types_are_computed_in_single(backend):
    given = arguments(3, 20, 8, dtype=torch.bfloat16)
    wide = {name: None if x is None else x.float() for name, x in given.items()}
    found, true = by_op(**given, backend=backend), by_op(**wide, backend=backend)
    assert found[0].dtype == torch.bfloat16 and torch.equal(found[0], true[0].bfloat16())
    assert torch.equal(found[1], true[1]) and torch.equal(found[2], true[2])


def test_second_derivative_of_the_reference():
    given = arguments(2, 3, 2)
    leaves = [x.requires_grad_() for x in given.values() if x is not None]

    def outputs(gates, recurrent_weight, hidden, cell):
        return ops.lstm(gates, recurrent_weight, hidden=hidden, cell=cell, backend="reference")

    assert torch.autograd.gradgradcheck(outputs, leaves)


B, T, H = 2, 3, 4
WRONG = {
    "gates without time": ({"gates": torch.zeros(B, 4 * H)}, r"gates has shape \[2, 16\]; accepted"),
    "whole gates": ({"gates": torch.zeros(B, T, 16, dtype=torch.long)}, "gates is torch.int64"),
    "no fours": ({"gates": torch.zeros(B, T, 15)}, "15 features; accepted: four for each hidden unit"),
    "no units": ({"gates": torch.zeros(B, T, 0)}, "0 features"),
    "W of another size": ({"recurrent_weight": torch.zeros(16, 5)}, r"recurrent_weight has shape \[16, 5\]"),
    "W of another type": ({"recurrent_weight": torch.zeros(16, H).double()}, "is torch.float64, gates torch.float32"),
    "W elsewhere": ({"recurrent_weight": torch.zeros(16, H, device="meta")}, "recurrent_weight is on meta"),
    "h of another batch": ({"hidden": torch.zeros(3, H)}, r"hidden has shape \[3, 4\]; accepted: \[2, 4\]"),
    "c of another type": ({"cell": torch.zeros(B, H).double()}, "cell is torch.float64"),
    "classes and steps": ({"classes": torch.zeros(B, T, dtype=torch.long)}, r"accepted: \[classes, 4 hidden\]"),
    "real classes": ({"gates": torch.zeros(7, 16), "classes": torch.zeros(B, T)}, "classes is torch.float32"),
    "classes in a row": ({"gates": torch.zeros(7, 16), "classes": torch.zeros(B).long()}, r"int64 \[2\]"),
    "mask of another length": ({"mask": torch.ones(B, 9, dtype=torch.bool)}, r"mask is torch.bool \[2, 9\]"),
    "mask of numbers": ({"mask": torch.ones(B, T)}, "mask is torch.float32"),
    "misspelt backend": ({"backend": "cpus"}, "unknown backend 'cpus'; did you mean 'cpu'"),
    "no such backend": ({"backend": "chunked"}, f"'chunked'; accepted: auto, {', '.join(sorted(WAYS['lstm']))}"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, message", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_refused_in_one_line(wrong, message, unchecked):
    good = {"gates": torch.zeros(B, T, 4 * H), "recurrent_weight": torch.zeros(4 * H, H)}
    with pytest.raises(UserError, match=message) as refusal:
        by_op(**good | wrong)
    assert "\n" not in str(refusal.value)
