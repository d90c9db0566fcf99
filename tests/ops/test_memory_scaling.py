"""Keys of norm 1 and scaled queries inside the op, strided arguments, and single steps straight to their kernel."""

import sys

import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops import dispatch

module = sys.modules["fastweights.ops.delta_memory"]  # a function of the package has its name

B, T, K, V = 2, 37, 5, 4
EPS, SCALE = 0.3, 0.4


def draw(*shape, dtype=torch.double):
    return torch.randn(*shape, dtype=dtype)


def gate_of(kind, *steps):
    shape = {"none": None, "step": steps, "channels": (*steps, K)}[kind]
    return None if shape is None else torch.rand(*shape, dtype=torch.double)


def unit(x):
    return x / (x.square().sum(-1, keepdim=True) + EPS).sqrt()


def leaves(*tensors):
    return [x if x is None else x.clone().requires_grad_() for x in tensors]


def with_gradients(found, given):
    wanted = [x for x in given if x is not None]
    scalar = sum((x.sin() + x).sum() for x in found if x is not None)
    return [*found, *torch.autograd.grad(scalar, wanted)]


def assert_same(found, true, tolerance=1e-11):
    for a, b in zip(found, true, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("rule", ["delta", "hebbian"])
@pytest.mark.parametrize("gate", ["none", "step", "channels"])
def test_scaled_inside_is_scaled_before(rule, gate, memory_ways):
    """Values, state and all gradients; also with padding, whatever stands there, and steps that are not read."""
    beta, alpha = torch.rand(B, T).double(), gate_of(gate, B, T)
    given = leaves(draw(B, T, K), draw(B, T, V), beta, draw(B, T, K), draw(B, K, V), alpha)
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[1, :5] = False
    read_mask = torch.rand(B, T) < 0.7
    rest = {"rule": rule, "read_norm": False, "mask": mask, "read_mask": read_mask}
    k, v, beta, q, start, alpha = given
    hidden = k.masked_fill(~mask.unsqueeze(2), torch.nan)
    found = ops.delta_memory(
        (hidden,), v, beta, queries=(q,), memory=start, gate=alpha, unit_eps=EPS, query_scale=SCALE,
        **rest, **memory_ways,
    )  # fmt: skip
    true = ops.delta_memory(
        (unit(k),), v, beta, queries=(SCALE * unit(q),), memory=start, gate=alpha, backend="reference", **rest
    )  # fmt: skip
    assert_same(with_gradients(found, given), with_gradients(true, given))


def test_a_query_may_be_scaled_alone(memory_ways):
    given = leaves(draw(B, T, K) / K, draw(B, T, V), torch.rand(B, T).double(), draw(B, T, K))
    k, v, beta, q = given
    found = ops.delta_memory((k,), v, beta, queries=(q,), query_scale=SCALE, **memory_ways)
    true = ops.delta_memory((k,), v, beta, queries=(SCALE * q,), backend="reference")
    assert_same(with_gradients(found, given), with_gradients(true, given))


@pytest.mark.parametrize("batch", [1, 2])
def test_steps_may_lie_before_heads(batch, memory_ways):
    """[batch, time, heads, features] seen as [batch, heads, time, features], as attention has it; gradients too."""
    heads = 3
    given = leaves(*(draw(batch, T, heads, n) for n in (K, V, K)), torch.rand(batch, T, heads).double())  # fmt: skip
    k, v, q, beta = (x.transpose(1, 2) for x in given)
    weights = draw(batch, T, heads, V).transpose(1, 2)

    def run(*tensors, **options):
        keys, values, queries, strength = tensors
        read, F = ops.delta_memory(
            (keys,), values, strength, queries=(queries,), unit_eps=EPS, read_norm=False, **options
        )
        return [read, F, *torch.autograd.grad((read * weights).sum() + F.sum(), given)]

    dense = run(*(x.contiguous() for x in (k, v, q, beta)), backend="reference")
    assert_same(run(k, v, q, beta, **memory_ways), dense)


def test_what_they_refuse(unchecked):
    two = (torch.zeros(B, T, K), torch.zeros(B, T, K))
    v, beta = torch.zeros(B, T, V), torch.zeros(B, T)
    with pytest.raises(UserError, match="unit_eps and query_scale are for one key factor"):
        ops.delta_memory(two, v, beta, unit_eps=EPS)
    with pytest.raises(UserError, match="unit_eps is 0; accepted: more than 0, or None"):
        ops.delta_memory(two[:1], v, beta, unit_eps=0)


STEPS = {
    "plain": {},
    "gated": {"gate": True},
    "unit": {"gate": True, "unit_eps": EPS, "query_scale": SCALE},
    "hebbian": {"gate": True, "rule": "hebbian"},
    "unread": {"queries": None},
}


def step_arguments(options, dtype, lead=(2, 3), value=48):
    """A step's arguments with steps before heads, and a memory."""
    options = dict(options)
    k, q = (draw(lead[0], 1, *lead[1:], K, dtype=dtype).transpose(1, -2) for _ in range(2))
    v = draw(lead[0], 1, *lead[1:], value, dtype=dtype).transpose(1, -2)
    beta, alpha = torch.rand(2, *lead, 1, dtype=dtype)
    options.setdefault("queries", (q,))
    if options.pop("gate", False):
        options["gate"] = alpha
    return (k,), v, beta, {"memory": draw(*lead, K, value, dtype=dtype), "read_norm": False} | options  # fmt: skip


@pytest.fixture
def repeats(monkeypatch):
    """No shortcut is known; returns them by signature."""
    if dispatch.unavailable("delta_memory", "cpu") is not None:
        pytest.skip("there are no kernels")
    known = {}
    monkeypatch.setattr(module.OP.repeats, "_known", known)
    return known


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype, tolerance", [(torch.double, 1e-12), (torch.float, 1e-5)])
@pytest.mark.parametrize("options", STEPS.values(), ids=STEPS)
def test_a_step_by_its_own_kernel(options, dtype, tolerance, threads, repeats, monkeypatch):
    torch.set_num_threads(threads)
    with torch.no_grad():
        keys, v, beta, rest = step_arguments(options, dtype)
        true = ops.delta_memory(keys, v, beta, backend="reference", **rest)
        ops.delta_memory(keys, v, beta, **rest)
        assert [found for found in repeats.values() if found is not None]
        monkeypatch.setattr(module.arguments, "check", None)  # an equal call needs none
        for _ in range(2):
            found = ops.delta_memory(keys, v, beta, **rest)
            assert (found[0] is None) == (true[0] is None)
            assert_same(*([x for x in each if x is not None] for each in (found, true)), tolerance)
    k, *others = (x.clone().requires_grad_() for x in (*keys, v, beta))
    with pytest.raises(
        TypeError
    ):  # with gradients everything is checked, by what is now no function
        ops.delta_memory((k,), *others, **rest)


@pytest.mark.parametrize("wrong", ["keys[0]", "values", "strength", "gate", "queries[0]", "memory"])
def test_a_step_names_what_is_not_finite(wrong, repeats):
    with torch.no_grad():
        keys, v, beta, rest = step_arguments(STEPS["gated"], torch.float)
        ops.delta_memory(keys, v, beta, **rest)
        named = {
            "keys[0]": keys[0],
            "values": v,
            "strength": beta,
            "queries[0]": rest["queries"][0],
        }
        (named | rest)[wrong][1, 2].flatten()[-1:].fill_(torch.nan)
        with pytest.raises(UserError, match=wrong.replace("[", r"\[").replace("]", r"\]")):
            ops.delta_memory(keys, v, beta, **rest)


def test_other_steps_are_checked_and_run_as_they_should(repeats):
    """What the kernel of a step does not know, or what differs from a call it knows, takes the usual way."""
    with torch.no_grad():
        keys, v, beta, rest = step_arguments(STEPS["gated"], torch.double)
        ops.delta_memory(keys, v, beta, **rest)
        with pytest.raises(UserError, match="gate is 'norms'"):
            ops.delta_memory(keys, v, beta, **rest | {"gate": "norms"})
        with pytest.raises(UserError, match="memory has shape"):
            ops.delta_memory(keys, v, beta, **rest | {"memory": rest["memory"][..., :-1]})
        for other in (
            {"gate": torch.rand(*beta.shape, K).double()},
            {"gate": "norm"},
            {"memory": None},
            {"mask": torch.tensor([[True], [False]])},
            {"read_norm": True},
            {"erase": keys[0] / 2},
        ):
            true = ops.delta_memory(keys, v, beta, **rest | other, backend="reference")
            for _ in range(2):
                assert_same(ops.delta_memory(keys, v, beta, **rest | other), true)
        keys, v, beta, rest = step_arguments(STEPS["gated"], torch.double, value=V - 1)
        true = ops.delta_memory(keys, v, beta, **rest, backend="reference")
        for _ in range(2):  # values that are no whole vectors
            assert_same(ops.delta_memory(keys, v, beta, **rest), true)
