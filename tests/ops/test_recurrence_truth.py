"""Every backend against the oracle: outputs, final state, and the gradient of everything."""

import pytest
import torch
from oracle_points import errors, relative, results_and_gradients, truth

from fastweights.ops import fast_weight_rnn
from fastweights.oracle.fast_weight_rnn_gradcheck import Case

EXACT = 1e-11
"""Largest relative error in float64, of results and of gradients."""
SINGLE = 2e-5
"""The same in float32, where the recurrence does not amplify rounding."""
AMPLIFIED = 10
"""Where it does (tanh and several inner steps; A carried over many steps): this times the error of the reference."""

FORMS = [
    Case(),
    Case(inner_steps=2),
    Case(inner_steps=3),
    Case(nonlinearity="tanh"),
    Case(inner_steps=3, nonlinearity="tanh"),
    Case(norm=False),
    Case(inner_steps=2, nonlinearity="tanh", norm=False),
    Case(preliminary=True),
    Case(inner_steps=2, nonlinearity="tanh", preliminary=True),
    Case(norm=False, preliminary=True, nonlinearity="tanh"),
    Case(form="flat"),
    Case(form="flat", nonlinearity="tanh"),
    Case(form="flat", nonlinearity="tanh", norm=False),
]
SHAPES = [(1, 1, 4), (2, 2, 1), (1, 9, 6), (17, 4, 5), (3, 12, 17), (2, 40, 8), (5, 6, 33)]

forms = pytest.mark.parametrize("case", FORMS, ids=str)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "B{}-T{}-H{}".format(*s))


def assert_exact(found):
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@forms
@pytest.mark.parametrize("carried", [True, False], ids=["carried", "zero"])
def test_every_form(case, carried, backends):
    point = truth(case, (3, 7, 6), carried)
    assert_exact(errors(point, *results_and_gradients(case, point, **backends)))


@shapes
def test_every_shape(shape, backends):
    case = Case(inner_steps=2, nonlinearity="tanh", norm=shape[2] > 1)
    point = truth(case, shape)
    assert_exact(errors(point, *results_and_gradients(case, point, **backends)))


@forms
def test_single_precision(case, backends):
    point = truth(case, (3, 7, 6))
    found = errors(point, *results_and_gradients(case, point, torch.float32, **backends))
    eager = results_and_gradients(case, point, torch.float32, backend="reference")
    allowed = max(SINGLE, AMPLIFIED * max(errors(point, *eager).values()))
    assert max(found.values()) <= allowed, found


@pytest.mark.parametrize(
    "decay, rate", [(0.95, 0.5), (1.0, 0.2), (0.0, 0.7), (0.5, 0.0), (-0.6, 0.3)]
)
def test_numbers_and_tensors_give_the_same(decay, rate, backends):
    """λ and η at their limits, as numbers and as tensors: the same results and gradients; η's gradient where η is 0."""
    case, shape = Case(nonlinearity="tanh"), (2, 6, 5)
    arguments = truth(case, shape).arguments
    numbers = {"decay": decay, "rate": rate}
    tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in numbers.items()}
    point = truth(case, shape)
    both = []
    for scalars in (numbers, tensors):
        leaves = {k: v.clone().requires_grad_() for k, v in (arguments | tensors).items()}
        given = leaves | scalars if scalars is numbers else leaves
        both.append((point._replace(arguments=leaves), given))
    found = [_run_with(case, at, given, backends) for at, given in both]
    reference = _run_with(case, *both[1], {"backend": "reference"})
    for name in reference:
        assert relative(found[1][name], reference[name]) <= EXACT, name
        if name not in ("∂decay", "∂rate"):
            assert relative(found[0][name], reference[name]) <= EXACT, name


def _run_with(case, point, given, options):
    from oracle_points import call

    leaves = {name: leaf for name, leaf in given.items() if isinstance(leaf, torch.Tensor)}
    outputs, h, A = call(case, given, **options)
    scalar = sum((w * r).sum() for w, r in zip(point.weights, (outputs, h, A), strict=True))
    gradients = torch.autograd.grad(scalar, list(leaves.values()))
    named = {f"∂{name}": g for name, g in zip(leaves, gradients, strict=True)}
    return {"outputs": outputs, "h": h, "A": A} | named


@pytest.mark.parametrize("wanted", ["outputs", "h", "A"])
def test_a_gradient_from_one_result_alone(wanted, backends):
    case = Case()
    point = truth(case, (2, 5, 4))
    true = {"outputs": 0, "h": 1, "A": 2}[wanted]
    weights = tuple(w if k == true else 0 * w for k, w in enumerate(point.weights))
    reference = results_and_gradients(case, point._replace(weights=weights), backend="reference")[1]
    found = results_and_gradients(case, point._replace(weights=weights), **backends)[1]
    for name, gradient in reference.items():
        assert relative(found[name], gradient) <= EXACT, name


def test_layer_norm_of_one_feature_has_no_gradient(backends):
    """It is 0 whatever it is given, and the bias alone is learned; torch's own leaves some rounding."""
    drive = torch.tensor([[[0.3], [-1.7], [2.9]], [[0.1], [0.7], [-0.2]]], requires_grad=True)
    weight = torch.tensor([[0.37]], requires_grad=True)
    gain, bias = (torch.tensor([number], requires_grad=True) for number in (1.3, 0.6))
    numbers = {"decay": 0.9, "rate": 0.5, "norm_weight": gain, "norm_bias": bias}
    outputs, _, _ = fast_weight_rnn(drive, weight, **numbers, **backends)
    direction = torch.tensor([0.37, 1.21, -0.83])[None, :, None].expand_as(outputs)
    found = torch.autograd.grad(outputs, (drive, weight, gain, bias), direction)
    rounding = 0 if backends["backend"] == "cpu" else 1e-3
    assert [float(g.abs().max()) > rounding for g in found] == [False, False, False, True]


@pytest.mark.parametrize("chunk", [1, 4, 5, 16, 100])
def test_chunks_change_nothing(chunk):
    case = Case(inner_steps=2)
    point = truth(case, (2, 40, 8))
    found = errors(point, *results_and_gradients(case, point, backend="chunked", chunk=chunk))
    assert_exact(found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@forms
@pytest.mark.parametrize("name", ["reference", "chunked", "auto"])
def test_on_a_gpu(case, name):
    point = truth(case, (3, 40, 6))
    chunk = None if name == "reference" else 16
    found = results_and_gradients(case, point, device="cuda", backend=name, chunk=chunk)
    assert max(errors(point, *found).values()) <= 10 * EXACT
