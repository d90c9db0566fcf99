"""The kernels of memories with one key against the oracle: every form, several chunks, gates of 0 and below, NaN."""

import pytest
import torch
from oracle_points import call, errors, relative, results_and_gradients, truth
from tensor_cores import emulated
from test_memory_truth import EXACT, SINGLE
from test_memory_truth import test_a_gradient_from_one_result_alone as check_one_result

from fastweights.ops.delta_memory import cuda
from fastweights.ops.delta_memory.cuda.vector import launch
from fastweights.oracle.delta_memory_gradcheck import Case

CUDA = {"backend": "cuda"}
GATED = Case(keys=1, gate="tensor")
FORMS = [
    Case(keys=1),
    GATED,
    Case(keys=1, gate="tensor", rule="hebbian", norm=False),
    Case(keys=1, rule="hebbian"),
    Case(keys=1, gate="tensor", norm=False, erase=True),
    Case(keys=1, erase=True),
    Case(keys=1, gate="tensor", reads=0),
    Case(reads=1, gate="tensor", combine="concat"),
]


@pytest.fixture
def short_chunks(monkeypatch):
    """Four steps a chunk, so that few steps make several."""
    monkeypatch.setattr(launch, "steps_of", lambda keys, V: 4)


def assert_exact(case, point):
    found = errors(point, *results_and_gradients(case, point, **CUDA))
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@pytest.mark.parametrize("case", FORMS, ids=str)
def test_every_form_in_chunks(case, short_chunks):
    assert_exact(case, truth(case, (1, 6), (4, 3, 5)))


@pytest.mark.parametrize("case", FORMS[1:3], ids=str)
def test_from_zero_with_several_rows(case, short_chunks):
    assert_exact(case, truth(case, (2, 9), (3, 1, 2), carried=False))


@pytest.mark.parametrize("shape, sizes", [((1, 35), (5, 1, 3)), ((1, 3), (66, 1, 65))], ids=str)
def test_chunks_and_blocks_as_they_are(shape, sizes):
    assert_exact(GATED, truth(GATED, shape, sizes))


@pytest.mark.parametrize("gate", [0.0, -0.5])
def test_gates_at_their_limits(gate, short_chunks):
    point = truth(GATED, (1, 7))
    arguments = dict(point.arguments)
    arguments["gate"] = arguments["gate"].clone()
    arguments["gate"][:, 1::2] = gate
    point = point._replace(arguments=arguments)
    true, gradients = results_and_gradients(GATED, point, backend="reference")
    assert_exact(GATED, point._replace(results=true, gradients=gradients))


@pytest.mark.parametrize("case", FORMS[1:2] + FORMS[3:4], ids=str)
def test_single_precision_on_tensor_cores(case):
    point = truth(case, (1, 19), (20, 1, 17))
    with emulated() as asked:
        found = errors(point, *results_and_gradients(case, point, torch.float32, **CUDA))
    assert asked == {"tf32x3"}
    assert max(found.values()) <= SINGLE, found


@pytest.mark.parametrize("wanted", ["retrieved", "memory"])
def test_a_gradient_from_one_result_alone(wanted):
    check_one_result(GATED, wanted, CUDA)


@pytest.mark.parametrize("name", ["gate", "memory", "strength"])
def test_only_what_is_asked_for_has_a_gradient(name, short_chunks):
    point = truth(GATED, (1, 5))
    leaf = point.arguments[name].clone().requires_grad_()
    found = call(GATED, point.arguments | {name: leaf}, **CUDA)
    sum((w * r).sum() for w, r in zip(point.weights, found, strict=True)).backward()
    assert relative(leaf.grad, point.gradients[name]) <= EXACT


def test_padding_and_reads_at_some_steps(short_chunks):
    mask = torch.tensor([[True] * 5 + [False], [False] * 2 + [True] * 4])
    masks = {"mask": mask, "read_mask": torch.tensor([[True, False] * 3] * 2)}
    point = truth(GATED, (2, 6))
    true, gradients = results_and_gradients(GATED, point, backend="reference", **masks)
    expected = point._replace(results=true, gradients=gradients)
    found = errors(expected, *results_and_gradients(GATED, point, **masks, **CUDA))
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


def test_writes_need_no_queries(short_chunks):
    arguments = truth(GATED, (1, 6)).arguments
    written = {k: v for k, v in arguments.items() if not k.startswith("queries")}
    memory = call(GATED, written, **CUDA)[1]
    assert relative(memory, call(GATED, arguments, **CUDA)[1]) <= EXACT


@pytest.mark.parametrize(
    "facts, reason",
    [
        ({"key_sizes": (128,), "gate": "step", "erase": True}, None),
        ({"key_sizes": (129,)}, "keys have 129 features; accepted: up to 128"),
        ({"key_sizes": (64, 64), "combine": "concat", "reads": 1}, None),
        (
            {"key_sizes": (4, 4), "combine": "concat", "reads": 2},
            "keys are concatenated; accepted: without a clamp, and one read",
        ),
        (
            {"key_sizes": (4,), "gate": "channels"},
            "the gate has a number for each feature; accepted: one a step",
        ),
        (
            {"key_sizes": (4, 4), "gate": "step"},
            "a gate is given; accepted of a product of keys: none, or 'norm'",
        ),
    ],
    ids=str,
)
def test_what_the_kernels_run(facts, reason):
    assert cuda.supports(torch.zeros(1), **facts) == reason


def test_the_operators_are_what_torch_asks():
    from fastweights.ops.delta_memory.cuda.vector.operators import vector_memory

    keys, values = torch.randn(1, 3, 2), torch.randn(1, 3, 2, requires_grad=True)
    call = (keys, values, torch.rand(1, 3), keys, keys, torch.randn(1, 2, 2))
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(vector_memory.forward_operator, call, test_utils=checks)
