"""The memories' oracle is right: by hand, by closed forms, and by finite differences."""

import numpy as np
import pytest

from fastweights.oracle import delta_memory_gradcheck as gradcheck
from fastweights.oracle.delta_memory import DeltaMemory
from fastweights.oracle.delta_memory_gradcheck import Case

LIMIT = 1e-8


@pytest.mark.parametrize("seed, time", [(0, 3), (1, 1)])
def test_derived_gradients_equal_finite_differences(seed, time):
    rows = gradcheck.check(seed, time=time)
    assert {row["case"] for row in rows} == {str(case) for case in gradcheck.CASES}
    assert [row for row in rows if not row["max_relative_error"] <= LIMIT] == []


def test_a_wrong_gradient_is_seen(monkeypatch):
    """Gradients wrong by a millionth fail the check, each of them, so passing it means something."""
    right = DeltaMemory.backward

    def wrong(self, *given):
        return {name: g * (1 + 1e-6) for name, g in right(self, *given).items()}

    monkeypatch.setattr(DeltaMemory, "backward", wrong)
    assert all(row["max_relative_error"] > LIMIT for row in gradcheck.check(0, time=1))


def test_the_clamp_is_drawn_active_always_sometimes_and_never():
    """So that what is checked at these scales is what the names say."""
    case = Case(reads=3, gate="norm")
    active = []
    for scale in (10, 0.7, 0.01):
        point = gradcheck.draw(case, np.random.default_rng(0), time=9, sizes=(4, 3, 4), scale=scale)
        steps = case.memory.forward(point).steps
        active.append(np.mean([np.linalg.norm(step.unclamped) > 1 for step in steps]))
    assert active[0] == 1 and 0.1 < active[1] < 0.9 and active[2] == 0


def test_two_writes_by_hand():
    """One key, one number: k = 2, β = .25, v = 3 then 5.

    t = 1: F = .25 · 3 · 2 = 1.5, read F · 2 = 3.   t = 2: F += .25 · (5 − 3) · 2 = 2.5, read 5.
    """
    given = {"keys[0]": np.full((2, 1), 2.0), "values": np.array([[3.0], [5.0]])}
    given |= {"strength": np.full(2, 0.25), "queries[0]": given["keys[0]"]}
    outcome = DeltaMemory(read_norm=False).forward(given)
    assert outcome.retrieved.flatten().tolist() == [3, 5]
    assert outcome.memory.item() == 2.5


def test_the_clamp_and_the_gate_by_hand():
    """F(0) = .5, k = 1, β = 1, v = 4.

    Hebbian, clamped: F' = 4.5, F = 1.   Hebbian, α = .5: F = .25 + 4.   Delta: the gate is before the write's own
    read, F = .25 + .5 · (4 − .25) with β = .5.
    """
    one = {"keys[0]": np.ones((1, 1)), "values": np.full((1, 1), 4.0), "strength": np.ones(1)}
    one["memory"] = np.full((1, 1), 0.5)
    half = np.full(1, 0.5)
    assert DeltaMemory("hebbian", clamp=True).forward(one).memory.item() == 1
    assert DeltaMemory("hebbian").forward(one | {"gate": half}).memory.item() == 4.25
    gated = DeltaMemory("delta").forward(one | {"gate": half, "strength": half})
    assert gated.memory.item() == 0.25 + 0.5 * (4 - 0.25)


@pytest.mark.parametrize("combine", ["product", "concat"])
def test_two_factors_are_one_combined_key(combine):
    """A read without links in a chain: the memory knows the combined key alone."""
    case = Case(reads=1, gate="norm", combine=combine)
    point = gradcheck.draw(case, np.random.default_rng(0), time=5, sizes=(3, 4, 3))
    outcome = case.memory.forward(point)
    queries = np.array([step.reads[0].query for step in outcome.steps])
    whole = {"keys[0]": np.array([step.key for step in outcome.steps]), "queries[0]": queries}
    whole |= {"values": point["values"], "strength": point["strength"]}
    whole["memory"] = point["memory"].reshape(-1, 3)
    single = case.memory.forward(whole)
    # Products of other shapes, whose sums a BLAS may take in another order.
    np.testing.assert_allclose(single.retrieved, outcome.retrieved, rtol=1e-12)
    np.testing.assert_allclose(single.memory.ravel(), outcome.memory.ravel(), rtol=1e-12)


def test_steps_left_out_and_steps_not_read():
    """A padded step might as well not be there; an unread one changes no other."""
    case = Case(reads=2, gate="norm")
    point = gradcheck.draw(case, np.random.default_rng(0), time=6, sizes=(3, 2, 3), scale=3)
    mask = np.array([False, False, True, True, True, True])
    alone = {k: v if k == "memory" else v[mask] for k, v in point.items()}
    padded, true = case.memory.forward(point, mask), case.memory.forward(alone)
    np.testing.assert_array_equal(padded.retrieved[mask], true.retrieved)
    np.testing.assert_array_equal(padded.memory, true.memory)
    assert not padded.retrieved[~mask].any()
    gradients = case.memory.backward(point, padded, np.ones((6, 3)))
    assert not gradients["keys[0]"][~mask].any() and gradients["keys[0]"][mask].all()
    unread = case.memory.forward(point, None, mask)
    whole = case.memory.forward(point)
    np.testing.assert_array_equal(unread.retrieved, whole.retrieved * mask[:, None])
    np.testing.assert_array_equal(unread.memory, whole.memory)
