"""Memories with momentum: what they become without it, any factor, splits, rows, padding, traces, what is refused."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle_points import STATE, call, leaves_of, relative, truth

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops import dispatch
from fastweights.ops.delta_memory import MomentumState, trace
from fastweights.oracle.delta_memory_gradcheck import CASES as ALL
from fastweights.oracle.delta_memory_gradcheck import Case

CASES = [case for case in ALL if case.momentum]
TIME = 11
WAYS = [{"backend": "reference"}, {"backend": "chunked"}, {"backend": "chunked", "chunk": 3}]

cases = pytest.mark.parametrize("case", CASES, ids=str)
ways = pytest.mark.parametrize("way", WAYS, ids=["reference", "chunked", "chunked-3"])


def arguments_of(case, batch=2):
    return truth(case, (batch, TIME)).arguments


def assert_same(found, true, tolerance=1e-11):
    for a, b in zip(found, true, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def at(arguments, steps, state=None):
    """The arguments at some steps, from a state."""
    cut = {name: value if name in STATE else value[:, steps] for name, value in arguments.items()}
    return cut if state is None else cut | dict(zip(STATE, state, strict=True))


@cases
@ways
@given(cuts=st.lists(st.integers(0, TIME), max_size=4))
def test_a_sequence_may_be_split_anywhere(case, way, cuts):
    arguments = arguments_of(case)
    whole = call(case, arguments, **way)
    state, parts = [arguments[name] for name in STATE], []
    for start, stop in itertools.pairwise([0, *sorted(cuts), TIME]):
        retrieved, *state = call(case, at(arguments, slice(start, stop), state), **way)
        parts.append(retrieved)
    assert_same((torch.cat(parts, 1), *state), whole)


@cases
@ways
def test_rows_and_heads_never_see_each_other(case, way):
    arguments = arguments_of(case, 4)
    whole = call(case, arguments, **way)
    rows = [2, 0, 2]
    taken = {name: value[rows] for name, value in arguments.items()}
    assert_same(call(case, taken, **way), [result[rows] for result in whole])
    heads = {name: value.unflatten(0, (2, 2)) for name, value in arguments.items()}
    assert_same([result.flatten(0, 1) for result in call(case, heads, **way)], whole)


@cases
@ways
@pytest.mark.parametrize("garbage", [0.0, float("nan")])
def test_a_padded_row_is_the_row_alone(case, way, garbage):
    """Results and gradients: padding adds nothing of S to F either, in front or behind."""
    real = [slice(0, TIME), slice(4, TIME), slice(0, 5), slice(0, 0)]
    mask = torch.zeros(4, TIME, dtype=torch.bool)
    for row, steps in enumerate(real):
        mask[row, steps] = True
    leaves = leaves_of(truth(case, (4, TIME)))
    filled = {
        name: leaf
        if name in STATE
        else torch.where(mask.view(4, TIME, *(1,) * (leaf.dim() - 2)), leaf, garbage)
        for name, leaf in leaves.items()
    }
    found = call(case, filled, mask=mask, **way)
    assert (found[0][~mask] == 0).all()
    total = 0
    for row, steps in enumerate(real):
        alone = {n: leaf[[row]] if n in STATE else leaf[[row], steps] for n, leaf in leaves.items()}
        true = call(case, alone, **way)
        assert_same((found[0][[row], steps], *(x[[row]] for x in found[1:])), true, 1e-10)
        total = total + sum((result**2).sum() for result in true)
    scalar = sum((result**2).sum() for result in found)
    expected, gradients = (torch.autograd.grad(x, list(leaves.values())) for x in (total, scalar))
    for name, a, b in zip(leaves, gradients, expected, strict=True):
        assert relative(a, b) <= 1e-9, name


@cases
@ways
def test_an_unread_step_retrieves_zero_and_changes_nothing_else(case, way):
    arguments = arguments_of(case)
    read_mask = torch.rand(2, TIME) < 0.5
    retrieved, *state = call(case, arguments, **way)
    found, *after = call(case, arguments, read_mask=read_mask, **way)
    assert_same((found, *after), (retrieved * read_mask.unsqueeze(2), *state))


@cases
@ways
def test_without_steps_the_state_stays(case, way):
    arguments = arguments_of(case)
    _, *state = call(case, at(arguments, slice(0, 0)), **way)
    for found, name in zip(state, STATE, strict=True):
        assert torch.equal(found, arguments[name])


@cases
@ways
def test_no_momentum_is_the_rule_without_it(case, way):
    """η = 0: S is what the last step wrote, and F that of the same rule."""
    arguments = arguments_of(case)
    none = {name: torch.zeros_like(arguments[name]) for name in ("momentum", "velocity")}
    retrieved, memory, velocity = call(case, arguments | none, **way)
    plain = case.__class__(**{**vars(case), "momentum": False})
    rest = {name: arguments[name] for name in arguments.keys() - none.keys()}
    assert_same((retrieved, memory), call(plain, rest, backend="reference"))
    *_, before = call(plain, at(rest, slice(0, TIME - 1)), backend="reference")
    gate = rest.get("gate", torch.ones(2, TIME, dtype=torch.double))[:, -1]
    gate = gate.reshape(*gate.shape, *(1,) * (before.dim() - gate.dim()))
    assert_same((velocity,), (memory - gate * before,))


@given(
    factors=st.lists(st.sampled_from([0.0, 1e-300, 1e-30, 0.3, 1.0, 1.1]), min_size=1, max_size=6),
    chunk=st.integers(1, 40),
    kind=st.sampled_from(["tensor", "channels"]),
    erasing=st.booleans(),
)
def test_any_factor_in_any_chunk(factors, chunk, kind, erasing):
    """Values, state and gradients, factors of α and η drawn apart."""
    torch.manual_seed(len(factors))
    case = Case(keys=1, gate=kind, norm=False, erase=erasing, momentum=True)
    point = truth(case, (2, 70), sizes=(5, 3, 4))
    drawn = {
        name: torch.tensor(factors, dtype=torch.double)[
            torch.randint(len(factors), point.arguments[name].shape)
        ]
        for name in ("gate", "momentum")
    }
    results = []
    for way in ({"backend": "reference"}, {"backend": "chunked", "chunk": chunk}):
        leaves = leaves_of(point._replace(arguments=point.arguments | drawn))
        found = call(case, leaves, **way)
        scale = 1 + max(x.detach().abs().max() for x in found)
        sum((x / scale).sum() for x in found).backward()
        results.append([*(x / scale for x in found), *(leaf.grad for leaf in leaves.values())])
    for found, true in zip(*results, strict=True):
        assert (found - true).abs().max() <= 1e-11 * (1 + true.abs().max())


@pytest.mark.parametrize("kind", ["tensor", "channels"])
def test_decays_to_nothing_over_thousands_of_steps(kind):
    """e^-20 a step: float32 stays finite, and as near the truth as the step form is."""
    case = Case(keys=1, gate=kind, norm=False, momentum=True)
    arguments = dict(truth(case, (1, 2048), sizes=(5, 3, 4)).arguments)
    for name in ("gate", "momentum"):
        arguments[name] = torch.exp(-20 * torch.rand(arguments[name].shape)).double()
    single = {name: value.float() for name, value in arguments.items()}
    true = call(case, arguments, backend="reference")
    plain, found = (call(case, single, backend=name) for name in ("reference", "chunked"))
    for near, far, exact in zip(found, plain, true, strict=True):
        assert near.isfinite().all()
        assert (near - exact).abs().max() <= 10 * (far - exact).abs().max() + 1e-7


@pytest.mark.parametrize("kind", ["tensor", "channels"])
def test_a_trace_says_what_each_read_took(kind):
    """From zero, Hebb's rule: what is written is β v, so the weights alone make what is retrieved."""
    case = Case(keys=1, gate=kind, rule="hebbian", norm=False, momentum=True)
    arguments = truth(case, (2, 9), carried=False).arguments
    retrieved, memory, velocity = call(case, arguments, backend="reference")
    given = {name: arguments[name] for name in ("values", "strength", "gate", "momentum")}
    seen = trace(
        (arguments["keys[0]"],), queries=(arguments["queries[0]"],), rule="hebbian",
        read_norm=False, memory_steps=[8], **given,
    )  # fmt: skip
    assert_same((seen.retrieved, seen.memory, seen.velocity), (retrieved, memory, velocity))
    assert_same((seen.steps[:, 0],), (memory,))
    written = arguments["strength"].unsqueeze(2) * arguments["values"]
    assert_same((seen.read_weights[:, :, 0] @ written,), (retrieved,))


def test_auto_picks_what_has_it_and_the_kernels_say_that_they_have_not():
    facts = {"momentum": True, "rule": "delta", "gate": "step"}
    assert dispatch.resolve("delta_memory", "auto", torch.zeros(1), **facts) == "chunked"
    if dispatch.unavailable("delta_memory", "cpu") is None:
        with pytest.raises(UserError, match="no kernels for momentum; 'chunked' has it"):
            dispatch.resolve("delta_memory", "cpu", torch.zeros(1), **facts)


def good():
    return {
        "keys": (torch.zeros(2, 3, 4),),
        "values": torch.zeros(2, 3, 5),
        "strength": torch.zeros(2, 3),
        "momentum": torch.zeros(2, 3),
        "memory": MomentumState(torch.zeros(2, 4, 5), torch.zeros(2, 4, 5)),
    }


WRONG = {
    "by feature": ({"momentum": torch.zeros(2, 3, 4)}, r"momentum has shape \[2, 3, 4\]; accepted: \[2, 3\]"),
    "and the clamp": ({"gate": "norm"}, "momentum goes with gate None or a tensor, not with 'norm'"),
    "F alone": ({"memory": torch.zeros(2, 4, 5)}, "memory is F alone; accepted with momentum: a MomentumState"),
    "S without": ({"momentum": None}, "memory is a MomentumState; accepted without momentum: F alone"),
    "S of another size": (
        {"memory": MomentumState(torch.zeros(2, 4, 5), torch.zeros(2, 4, 9))},
        r"memory.velocity has shape \[2, 4, 9\]; accepted: \[2, 4, 5\]",
    ),
    "not finite": ({"momentum": torch.tensor([[0, 0, torch.nan]] * 2)}, "momentum is not finite at step 2"),
}  # fmt: skip


@pytest.mark.parametrize("wrong, message", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_refused_in_one_line(wrong, message, unchecked):
    ops.delta_memory(**good())
    with pytest.raises(UserError, match=message) as refusal:
        ops.delta_memory(**good() | wrong)
    assert "\n" not in str(refusal.value)
