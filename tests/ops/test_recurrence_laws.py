"""What holds of the recurrence whatever the numbers: splits, batches, sizes of zero and one, needless state."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle_points import call, truth

from fastweights.oracle.fast_weight_rnn_gradcheck import Case

CASES = [
    Case(),
    Case(inner_steps=2, nonlinearity="tanh", preliminary=True),
    Case(form="flat", nonlinearity="tanh"),
]
TIME = 12

cases = pytest.mark.parametrize("case", CASES, ids=str)


def assert_same(found, true):
    for a, b in zip(found, true, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@cases
@given(cuts=st.lists(st.integers(0, TIME), max_size=4))
def test_a_sequence_may_be_split_anywhere(case, backends, cuts):
    arguments = truth(case, (2, TIME, 5)).arguments
    whole = call(case, arguments, **backends)
    state, parts = (arguments["hidden"], arguments["memory"]), []
    edges = [0, *sorted(cuts), TIME]  # a cut given twice, or at an end, makes a piece without steps
    for start, stop in itertools.pairwise(edges):
        piece = arguments["drive"][:, start:stop]
        now = arguments | {"drive": piece, "hidden": state[0], "memory": state[1]}
        outputs, *state = call(case, now, **backends)
        parts.append(outputs)
    assert_same((torch.cat(parts, 1), *state), whole)


@cases
def test_gradients_flow_through_a_split(case, backends):
    arguments = truth(case, (2, TIME, 5)).arguments
    gradients = []
    for cut in (None, 5):
        leaves = {name: value.clone().requires_grad_() for name, value in arguments.items()}
        if cut is None:
            outputs, h, A = call(case, leaves, **backends)
        else:
            first, h, A = call(case, leaves | {"drive": leaves["drive"][:, :cut]}, **backends)
            rest = leaves | {"drive": leaves["drive"][:, cut:], "hidden": h, "memory": A}
            second, h, A = call(case, rest, **backends)
            outputs = torch.cat((first, second), 1)
        scalar = outputs.square().sum() + h.sum() + A.square().sum()
        gradients.append(torch.autograd.grad(scalar, list(leaves.values())))
    for found, true in zip(*gradients, strict=True):
        assert (found - true).norm() <= 1e-11 * true.norm()


@cases
@given(rows=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_rows_never_see_each_other(case, backends, rows):
    """Rows taken in any order and any number give the rows' own results."""
    arguments = truth(case, (4, 6, 5)).arguments
    whole = call(case, arguments, **backends)
    taken = {k: arguments[k][rows] for k in ("drive", "hidden", "memory")}
    assert_same(call(case, arguments | taken, **backends), [result[rows] for result in whole])


@cases
def test_a_row_of_nan_spoils_itself_alone(case, backends):
    arguments = dict(truth(case, (4, 6, 5)).arguments)
    true = call(case, arguments, **backends)
    arguments["drive"] = arguments["drive"].clone()
    arguments["drive"][1, 2] = float("nan")
    found = call(case, arguments, **backends)
    assert found[0][1, 2:].isnan().all() and found[2][1].isnan().any()
    assert_same([r[[0, 2, 3]] for r in found], [r[[0, 2, 3]] for r in true])


def test_an_empty_memory_is_not_read(backends):
    """h(0) may make NaN of what would be read with: nothing is stored yet."""
    case = Case(nonlinearity="tanh", norm=False, preliminary=True)
    arguments = dict(truth(case, (3, 1, 5)).arguments)
    del arguments["memory"]
    arguments["hidden"] = torch.zeros(3, 5, dtype=torch.float64)
    arguments["hidden"][0, 2] = float("inf")
    gain = arguments["preliminary_norm_weight"].requires_grad_()
    arguments["hidden"].requires_grad_()
    outputs = call(case, arguments, **backends)[0]
    assert outputs.isfinite().all()
    gradients = torch.autograd.grad(
        outputs.sum(), (gain, arguments["hidden"]), materialize_grads=True, allow_unused=True
    )
    assert not gradients[0].any() and gradients[1].isfinite().all()


@cases
def test_later_input_changes_no_earlier_output(case, backends):
    arguments = dict(truth(case, (2, TIME, 5)).arguments)
    true = call(case, arguments, **backends)[0]
    arguments["drive"] = arguments["drive"].clone()
    arguments["drive"][:, 7:] *= -1
    found = call(case, arguments, **backends)[0]
    assert_same([found[:, :7]], [true[:, :7]])
    assert not torch.allclose(found[:, 7:], true[:, 7:])


@pytest.mark.parametrize("carried", [True, False])
def test_no_time_keeps_the_state(carried, backends):
    case = Case()
    arguments = truth(case, (3, 2, 4), carried).arguments
    none = arguments | {"drive": arguments["drive"][:, :0].clone().requires_grad_()}
    outputs, h, A = call(case, none, **backends)
    assert outputs.shape == (3, 0, 4)
    assert_same((h, A), [arguments.get("hidden", 0 * h), arguments.get("memory", 0 * A)])
    (outputs.sum() + h.sum() + A.sum()).backward()  # as any other length: nothing breaks


def test_no_rows(backends):
    case = Case()
    arguments = truth(case, (3, 2, 4)).arguments
    none = {k: v[:0] if k in ("drive", "hidden", "memory") else v for k, v in arguments.items()}
    weight = none["recurrent_weight"] = none["recurrent_weight"].clone().requires_grad_()
    outputs, h, A = call(case, none, **backends)
    assert (outputs.shape, h.shape, A.shape) == ((0, 2, 4), (0, 4), (0, 4, 4))
    outputs.sum().backward()
    assert not weight.grad.any()


@cases
def test_an_unneeded_state_is_not_made(case, backends):
    arguments = truth(case, (2, 6, 5)).arguments
    outputs, h, A = call(case, arguments, need_state=False, **backends)
    assert h is None and A is None
    assert_same([outputs], call(case, arguments, **backends)[:1])


@cases
def test_nothing_given_is_changed(case, backends):
    arguments = {k: v.clone() for k, v in truth(case, (2, 6, 5)).arguments.items()}
    call(case, arguments, mask=torch.tensor([[True] * 4 + [False] * 2] * 2), **backends)
    assert_same(arguments.values(), truth(case, (2, 6, 5)).arguments.values())


@cases
def test_strided_arguments(case, backends):
    """Views that are not contiguous: reversed in their dimensions, every second number, expanded."""
    arguments = truth(case, (3, 6, 5)).arguments
    strided = {}
    for name, value in arguments.items():
        wide = torch.full((*reversed(value.shape), 2), float("nan"), dtype=value.dtype)
        view = wide[..., 0].permute([*reversed(range(value.dim()))])
        strided[name] = view.copy_(value)
    strided["hidden"] = arguments["hidden"][:1].expand(3, -1)
    expected = arguments | {"hidden": strided["hidden"].contiguous()}
    assert_same(call(case, strided, **backends), call(case, expected, **backends))
