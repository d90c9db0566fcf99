"""The kernels of memories with one key against the oracle: every form, several chunks, gates of 0 and below."""

import pytest
import torch
from oracle_points import call, errors, relative, results_and_gradients, truth
from tensor_cores import emulated
from test_memory_truth import EXACT, SINGLE
from test_memory_truth import test_a_gradient_from_one_result_alone as check_one_result

from fastweights.ops.delta_memory import cuda
from fastweights.ops.delta_memory.cuda.vector import launch, plan
from fastweights.oracle.delta_memory_gradcheck import Case

CUDA = {"backend": "cuda"}
GATED = Case(keys=1, gate="tensor")
CHANNELS = Case(keys=1, gate="channels")
FORMS = [
    Case(keys=1),
    GATED,
    Case(keys=1, gate="tensor", rule="hebbian", norm=False),
    Case(keys=1, rule="hebbian"),
    Case(keys=1, gate="tensor", norm=False, erase=True),
    Case(keys=1, erase=True),
    Case(keys=1, gate="tensor", reads=0),
    Case(reads=1, gate="tensor", combine="concat"),
    CHANNELS,
    Case(keys=1, gate="channels", rule="hebbian", norm=False),
    Case(keys=1, gate="channels", norm=False, erase=True),
    Case(keys=1, gate="channels", reads=0),
]


@pytest.fixture
def short_chunks(monkeypatch):
    """Four steps a chunk, so that few steps make several."""
    for module in (launch, plan):
        monkeypatch.setattr(module, "steps_of", lambda keys, V: 4)


def assert_exact(case, point):
    found = errors(point, *results_and_gradients(case, point, **CUDA))
    assert {name: e for name, e in found.items() if not e <= EXACT} == {}


@pytest.mark.parametrize("case", FORMS, ids=str)
def test_every_form_in_chunks(case, short_chunks):
    assert_exact(case, truth(case, (1, 6), (4, 3, 5)))


@pytest.mark.parametrize("case", [*FORMS[1:3], CHANNELS], ids=str)
def test_from_zero_with_several_rows(case, short_chunks):
    assert_exact(case, truth(case, (2, 9), (3, 1, 2), carried=False))


@pytest.mark.parametrize(
    "case, shape, sizes",
    [(GATED, (1, 35), (5, 1, 3)), (GATED, (1, 3), (66, 1, 65)), (CHANNELS, (1, 18), (18, 1, 3))],
    ids=str,
)
def test_chunks_and_blocks_as_they_are(case, shape, sizes):
    assert_exact(case, truth(case, shape, sizes))


@pytest.mark.parametrize(
    "case, gates", [(GATED, [0.0]), (GATED, [-0.5]), (CHANNELS, [0.0, -0.5, 1e-300])], ids=str
)
def test_gates_at_their_limits(case, gates, short_chunks):
    point = truth(case, (1, 7))
    gate = point.arguments["gate"].clone()
    for start, number in enumerate(gates, 1):
        gate.flatten()[start :: len(gates) + 1] = number
    point = point._replace(arguments=point.arguments | {"gate": gate})
    true, gradients = results_and_gradients(case, point, backend="reference")
    assert_exact(case, point._replace(results=true, gradients=gradients))


def test_decays_to_nothing_in_single_precision():
    """From 1 to e^-20 a step and feature: no quotient of decays would be finite."""
    point = truth(CHANNELS, (1, 40), (8, 1, 5))
    gate = torch.exp(-20 * torch.rand(point.arguments["gate"].shape, dtype=torch.double))
    point = point._replace(arguments=point.arguments | {"gate": gate})
    true, gradients = results_and_gradients(CHANNELS, point, backend="reference")
    point = point._replace(results=true, gradients=gradients)
    with emulated():
        found = errors(point, *results_and_gradients(CHANNELS, point, torch.float32, **CUDA))
    assert max(found.values()) <= SINGLE, found


@pytest.mark.parametrize("case", [FORMS[1], FORMS[3], CHANNELS], ids=str)
def test_single_precision_on_tensor_cores(case):
    point = truth(case, (1, 19), (20, 1, 17))
    with emulated() as asked:
        found = errors(point, *results_and_gradients(case, point, torch.float32, **CUDA))
    assert asked == {"tf32x3"}
    assert max(found.values()) <= SINGLE, found


@pytest.mark.parametrize(
    "case, wanted", [(GATED, "retrieved"), (GATED, "memory"), (CHANNELS, "memory")], ids=str
)
def test_a_gradient_from_one_result_alone(case, wanted, short_chunks):
    check_one_result(case, wanted, CUDA)


def test_split_anywhere(short_chunks):
    arguments = truth(CHANNELS, (1, 9)).arguments
    whole, F = call(CHANNELS, arguments, **CUDA)
    start, parts = arguments["memory"], []
    for steps in (slice(0, 5), slice(5, 6), slice(6, 9)):
        cut = {name: x[:, steps] for name, x in arguments.items() if name != "memory"}
        found, start = call(CHANNELS, cut | {"memory": start}, **CUDA)
        parts.append(found)
    assert relative(torch.cat(parts, 1), whole) <= EXACT and relative(start, F) <= EXACT


@pytest.mark.parametrize("name", ["gate", "memory", "strength"])
@pytest.mark.parametrize("case", [GATED, CHANNELS], ids=str)
def test_only_what_is_asked_for_has_a_gradient(case, name, short_chunks):
    point = truth(case, (1, 5))
    leaf = point.arguments[name].clone().requires_grad_()
    found = call(case, point.arguments | {name: leaf}, **CUDA)
    sum((w * r).sum() for w, r in zip(point.weights, found, strict=True)).backward()
    assert relative(leaf.grad, point.gradients[name]) <= EXACT


@pytest.mark.parametrize("case", [GATED, CHANNELS], ids=str)
def test_padding_and_reads_at_some_steps(case, short_chunks):
    mask = torch.tensor([[True] * 5 + [False], [False] * 2 + [True] * 4])
    masks = {"mask": mask, "read_mask": torch.tensor([[True, False] * 3] * 2)}
    point = truth(case, (2, 6))
    true, gradients = results_and_gradients(case, point, backend="reference", **masks)
    expected = point._replace(results=true, gradients=gradients)
    found = errors(expected, *results_and_gradients(case, point, **masks, **CUDA))
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
        ({"key_sizes": (128,), "gate": "channels", "erase": True}, None),
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
