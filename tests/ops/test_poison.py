"""Every op with NaN in all uninitialised memory, at sizes around the vector width, where kernels pad and mask.

The fixture `poison` is on in all tests of ops and kernels (`tests/conftest.py`); here are the sizes, and that it works.
"""

import lstm_truth
import pytest
import torch
from oracle_points import errors, relative, results_and_gradients, truth

from fastweights import ops
from fastweights.kernels import memory as buffers
from fastweights.ops.neural_memory import Learned, State
from fastweights.oracle.delta_memory_gradcheck import Case as Memory
from fastweights.oracle.fast_weight_rnn_gradcheck import Case as Recurrence

TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4}
"""Largest relative error of a result or gradient, as in the ops' own tests against the truth."""

SIZES = {
    "1": lambda lanes: 1,
    "lanes-1": lambda lanes: lanes - 1,
    "lanes": lambda lanes: lanes,
    "lanes+1": lambda lanes: lanes + 1,
    "2lanes+3": lambda lanes: 2 * lanes + 3,
}
TIME = 4  # where a chunk is 3: one whole and a rest

dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
rows_or_features = pytest.mark.parametrize("many", ["rows", "features"])


@pytest.fixture(params=SIZES)
def size(request, dtype):
    """A number of rows or features, of which a vector holds about as many."""
    try:
        from fastweights.kernels.isa import host
    except ImportError:  # no compiler: no kernel to poison, but every other form
        return SIZES[request.param](64 // dtype.itemsize)
    return SIZES[request.param](host().vector_bytes // dtype.itemsize)


def assert_near(found, dtype):
    assert {name: e for name, e in found.items() if not e <= TOLERANCE[dtype]} == {}


UNINITIALISED = {
    "empty": lambda like: torch.empty(3, 5, dtype=like.dtype),
    "empty_like": torch.empty_like,
    "empty_strided": lambda like: torch.empty_strided((3, 5), (1, 3), dtype=like.dtype),
    "new_empty": lambda like: like.new_empty(3, 5),
}
BUFFERS = {
    "small buffer": lambda like: buffers.take(15, like),
    "large buffer": lambda like: buffers.take(buffers.LARGE, like),
    "small tensor": lambda like: buffers.empty((3, 5), like),
    "large tensor": lambda like: buffers.empty((3, buffers.LARGE), like),
}


@pytest.mark.parametrize("empty", (UNINITIALISED | BUFFERS).values(), ids=UNINITIALISED | BUFFERS)
@dtypes
def test_what_is_uninitialised_is_nan(empty, dtype):
    for _ in "ab":  # a large buffer comes again
        assert empty(torch.zeros(3, 5, dtype=dtype)).isnan().all()
        empty(torch.zeros(3, 5, dtype=dtype)).zero_()


@pytest.mark.parametrize("empty", UNINITIALISED.values(), ids=UNINITIALISED)
def test_an_uninitialised_integer_is_the_largest(empty):
    assert (empty(torch.zeros(3, 5, dtype=torch.long)) == torch.iinfo(torch.long).max).all()


@dtypes
@rows_or_features
@pytest.mark.parametrize("keys, gate", [(2, "norm"), (1, "tensor"), (1, "channels")])
def test_delta_memory(keys, gate, many, size, dtype, memory_ways, poison):
    rows, features = (size, 5) if many == "rows" else (2, size)
    case = Memory(keys=keys, gate=gate, reads=2 if keys == 2 else 1, norm=features > 1)
    point = truth(case, (rows, TIME), (features, 3, features))
    found = results_and_gradients(case, point, dtype, **memory_ways)
    assert_near(errors(point, *found), dtype)
    assert bool(poison) == (memory_ways["backend"] == "cpu")


@dtypes
@rows_or_features
@pytest.mark.parametrize("form", ["inner", "flat"])
def test_fast_weight_rnn(form, many, size, dtype, backends, poison):
    rows, features = (size, 5) if many == "rows" else (2, size)
    norm = features > 1  # an LN of one feature is 0 whatever it is
    steps, preliminary = (2, norm) if form == "inner" else (1, False)
    case = Recurrence(steps, "tanh", form, norm, preliminary)
    point = truth(case, (rows, TIME, features))
    found = results_and_gradients(case, point, dtype, **backends)
    assert_near(errors(point, *found), dtype)
    assert bool(poison) == (backends["backend"] == "cpu")


@dtypes
@rows_or_features
@pytest.mark.parametrize("classes", [None, 3], ids=["gates", "looked up"])
def test_lstm(classes, many, size, dtype, lstm_ways, poison):
    rows, features = (size, 5) if many == "rows" else (2, size)
    given = lstm_truth.arguments(rows, TIME, features, dtype=dtype, classes=classes)
    found = lstm_truth.run(lstm_truth.by_op, given, **lstm_ways)
    lstm_truth.check(found, lstm_truth.run(lstm_truth.by_torch, given), dtype)
    assert bool(poison) == (lstm_ways["backend"] == "cpu")


@dtypes
@rows_or_features
def test_neural_memory(many, size, dtype):
    """Against itself in float64 without poison, whose gradients finite differences hold (`test_neural_memory.py`)."""
    rows, width, heads, layers = (size, 3, 2, 2) if many == "rows" else (2, size, 2, 2)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape, scale=0.5):
        return scale * torch.randn(shape, generator=generator, dtype=torch.float64) / width**0.5

    learned = [
        *(draw(4 * width, 2 * width), draw((1 + 3 * heads) * width, width)),
        *(draw((1 + 3 * heads) * width), draw(1, width), draw(1)),
        *(draw(layers * width, width), draw(layers * width)),
    ]
    state = [draw(rows, width), draw(rows, width), draw(rows, width)]
    state.append(draw(rows, layers, width, width))
    given = [draw(rows, TIME, 4 * width), *state, *learned]
    start = draw(layers, width, width)

    def run(dtype):
        leaves = [x.to(dtype, copy=True).requires_grad_() for x in given]
        memory = State(*leaves[1:5])
        course = ops.neural_memory(leaves[0], Learned(*leaves[5:]), start.to(dtype), memory)
        results = [course.hidden, course.read, course.error, *course.state]
        loss = sum(x.square().sum() for x in results)
        return [*(x.detach() for x in results), *torch.autograd.grad(loss, leaves)]

    found = run(dtype)
    torch.use_deterministic_algorithms(False)
    true = run(torch.float64)
    assert_near(dict(enumerate(map(relative, found, true))), dtype)
