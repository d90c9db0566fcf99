"""The fast-weights RNN's kernels against the oracle: every form, several chunks, carried state, limits, NaN."""

import pytest
import torch
from oracle_points import call, errors, results_and_gradients, truth
from test_recurrence_laws import test_an_empty_memory_is_not_read as check_empty_memory
from test_recurrence_truth import AMPLIFIED, EXACT, FORMS, SINGLE
from test_recurrence_truth import test_a_gradient_from_one_result_alone as check_one_result
from test_recurrence_truth import test_numbers_and_tensors_give_the_same as check_numbers

from fastweights.ops.fast_weight_rnn import cuda
from fastweights.ops.fast_weight_rnn.cuda import launch
from fastweights.oracle.fast_weight_rnn_gradcheck import Case

CUDA = {"backend": "cuda"}
forms = pytest.mark.parametrize("case", FORMS, ids=str)


@pytest.fixture
def short_chunks(monkeypatch):
    """Two steps a chunk, so that few steps make several."""
    monkeypatch.setattr(launch, "chunk_of", lambda size: 2)


def assert_exact(case, point):
    found = errors(point, *results_and_gradients(case, point, **CUDA))
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@forms
def test_every_form_in_chunks(case, short_chunks):
    assert_exact(case, truth(case, (2, 5, 3)))


@pytest.mark.parametrize("case", FORMS[:1] + FORMS[8:9] + FORMS[-2:-1], ids=str)
@pytest.mark.parametrize("time", [1, 5])
def test_from_zero_in_chunks(case, time, short_chunks):
    assert_exact(case, truth(case, (2, time, 4), carried=False))


@pytest.mark.parametrize("shape", [(1, 35, 3), (1, 3, 17), (1, 18, 66)], ids=str)
def test_chunks_and_tiles_as_they_are(shape):
    case = Case(inner_steps=1, nonlinearity="tanh")
    assert_exact(case, truth(case, shape))


@pytest.mark.parametrize("case", FORMS[2:10:2], ids=str)
def test_single_precision(case):
    point = truth(case, (2, 5, 6))
    found = errors(point, *results_and_gradients(case, point, torch.float32, **CUDA))
    eager = results_and_gradients(case, point, torch.float32, backend="reference")
    allowed = max(SINGLE, AMPLIFIED * max(errors(point, *eager).values()))
    assert max(found.values()) <= allowed, found


@pytest.mark.parametrize("decay, rate", [(0.0, 0.7), (0.5, 0.0), (-0.6, 0.3)])
def test_limits_of_decay_and_rate(decay, rate, short_chunks):
    check_numbers(decay, rate, CUDA)


def test_a_gradient_from_the_memory_alone():
    check_one_result("A", CUDA)


@pytest.mark.filterwarnings(
    "ignore:invalid value:RuntimeWarning"
)  # of NumPy, under the interpreter
def test_an_empty_memory_is_not_read():
    check_empty_memory(CUDA)


def test_nan_stays_in_its_row():
    case = Case()
    arguments = dict(truth(case, (2, 4, 4)).arguments)
    true = call(case, arguments, **CUDA)[0]
    arguments["drive"] = arguments["drive"].clone()
    arguments["drive"][1, 2] = float("nan")
    found = call(case, arguments, **CUDA)[0]
    assert torch.equal(found[0], true[0]) and torch.equal(found[1, :2], true[1, :2])
    assert found[1, 2:].isnan().all()


def test_padding():
    case, mask = Case(), torch.tensor([[True, True, False, False], [False, True, True, True]])
    point = truth(case, (2, 4, 4))
    found, gradients = results_and_gradients(case, point, mask=mask, **CUDA)
    true, expected = results_and_gradients(case, point, mask=mask, backend="reference")
    pairs = [*zip(found, true, strict=True), *((gradients[k], expected[k]) for k in expected)]
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("name", ["recurrent_weight", "memory", "decay", "rate"])
def test_only_what_is_asked_for_has_a_gradient(name):
    case = Case(preliminary=True)
    point = truth(case, (1, 2, 3))
    leaf = point.arguments[name].clone().requires_grad_()
    results = call(case, point.arguments | {name: leaf}, **CUDA)
    sum((w * r).sum() for w, r in zip(point.weights, results, strict=True)).backward()
    torch.testing.assert_close(leaf.grad, point.gradients[name], rtol=EXACT, atol=EXACT)


def test_without_a_gradient_nothing_is_kept():
    arguments = truth(Case(inner_steps=2), (1, 2, 4)).arguments
    given = launch.Arguments(
        *[arguments.get(name) for name in ("drive", "recurrent_weight", "norm_weight", "norm_bias")],
        *[None] * 4, arguments["decay"], arguments["rate"], 2, False, False, 1e-5, False,
    )  # fmt: skip
    assert launch.run_forward(given)[1].numel() == 0


def test_more_hidden_units_than_fit_are_refused():
    reason = cuda.supports(torch.zeros(1), hidden=129)
    assert reason == "there are 129 hidden units; accepted: 128 or fewer"
    assert cuda.supports(torch.zeros(1), hidden=128) is None


def test_the_operators_are_what_torch_asks():
    from fastweights.ops.fast_weight_rnn.cuda.operators import recurrence

    given = truth(Case(), (1, 2, 3)).arguments
    names = ("drive", "recurrent_weight", "norm_weight", "norm_bias")
    leaves = [given[name].clone().requires_grad_() for name in names]
    call = (*leaves, None, None, given["hidden"], given["memory"], given["decay"], given["rate"])
    options = (1, False, False, 1e-5, True)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(recurrence.forward_operator, (*call, *options), test_utils=checks)
