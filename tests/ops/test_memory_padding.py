"""Padded steps do not exist, unread steps retrieve nothing: masks before, after and between what counts."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle_points import ALWAYS, SOMETIMES, call, leaves_of, relative, truth

from fastweights.errors import UserError
from fastweights.oracle.delta_memory_gradcheck import Case

CASES = [
    Case(reads=2, gate="norm"),
    Case(reads=2, gate="tensor", combine="concat"),
    Case(keys=1),
    Case(keys=1, gate="norm", rule="hebbian"),
    Case(keys=1, gate="channels", norm=False, erase=True),
    Case(keys=1, gate="channels", rule="hebbian"),
]
BATCH, TIME = 3, 7

cases = pytest.mark.parametrize("case", CASES, ids=str)


def masked(lengths, before):
    """The mask, and each row's real steps as a slice."""
    slices = [
        slice(TIME - n, TIME) if b else slice(0, n) for n, b in zip(lengths, before, strict=True)
    ]
    mask = torch.zeros(len(lengths), TIME, dtype=torch.bool)
    for row, real in enumerate(slices):
        mask[row, real] = True
    return mask, slices


def filled(leaves, mask, garbage):
    """The arguments with padded steps of garbage."""
    return {
        name: leaf
        if name == "memory"
        else torch.where(mask.view(*mask.shape, *(1,) * (leaf.dim() - 2)), leaf, garbage)
        for name, leaf in leaves.items()
    }


@pytest.mark.parametrize(
    "case, scale", [*((case, SOMETIMES) for case in CASES), (CASES[0], ALWAYS)], ids=str
)
@given(
    lengths=st.lists(st.integers(0, TIME), min_size=BATCH, max_size=BATCH),
    before=st.lists(st.booleans(), min_size=BATCH, max_size=BATCH),
    garbage=st.sampled_from([0.0, 1e30, float("nan"), float("inf")]),
)
def test_a_padded_row_is_the_row_alone(case, scale, memory_ways, lengths, before, garbage):
    """Results and gradients, also from a memory of a norm beyond 1, which no padded step may clamp."""
    mask, slices = masked(lengths, before)
    leaves = leaves_of(truth(case, (BATCH, TIME), scale=scale))
    retrieved, memory = call(case, filled(leaves, mask, garbage), mask=mask, **memory_ways)
    assert (retrieved[~mask] == 0).all()

    total = 0
    for row, real in enumerate(slices):
        alone = {
            name: leaf[[row]] if name == "memory" else leaf[[row], real]
            for name, leaf in leaves.items()
        }
        true = call(case, alone, **memory_ways)
        torch.testing.assert_close(retrieved[[row], real], true[0], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(memory[[row]], true[1], rtol=1e-10, atol=1e-10)
        total = total + sum((result**2).sum() for result in true)
    expected = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    scalar = (retrieved**2).sum() + (memory**2).sum()
    found = torch.autograd.grad(scalar, list(leaves.values()), allow_unused=True)
    for name, a, b in zip(leaves, found, expected, strict=True):
        a, b = (torch.zeros_like(leaves[name]) if g is None else g for g in (a, b))
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=name)


@cases
@given(read=st.lists(st.booleans(), min_size=BATCH * TIME, max_size=BATCH * TIME))
def test_an_unread_step_retrieves_zero_and_changes_nothing_else(case, memory_ways, read):
    read_mask = torch.tensor(read).view(BATCH, TIME)
    point = truth(case, (BATCH, TIME))
    leaves, others = leaves_of(point), leaves_of(point)
    found = call(case, leaves, read_mask=read_mask, **memory_ways)
    retrieved, memory = call(case, others, **memory_ways)
    assert (found[0][~read_mask] == 0).all()
    torch.testing.assert_close(found[0][read_mask], retrieved[read_mask], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found[1], memory, rtol=1e-11, atol=1e-11)
    (found[0].square().sum() + found[1].sum()).backward()
    (retrieved[read_mask].square().sum() + memory.sum()).backward()
    for name in leaves:
        if name.startswith("queries") and not any(read):
            assert leaves[name].grad is None or not leaves[name].grad.any()
        else:
            assert relative(leaves[name].grad, others[name].grad) <= 1e-11, name


@cases
def test_a_mask_of_the_batch_serves_all_heads(case, memory_ways):
    mask, _ = masked([3, 7], [True, False])
    read_mask = torch.rand(2, TIME) < 0.5
    arguments = truth(case, (4, TIME)).arguments
    heads = {name: value.unflatten(0, (2, 2)) for name, value in arguments.items()}
    short = call(case, heads, mask=mask, read_mask=read_mask, **memory_ways)
    wide = [each[:, None].expand(2, 2, TIME) for each in (mask, read_mask)]
    for a, b in zip(short, call(case, heads, mask=wide[0], read_mask=wide[1], **memory_ways), strict=True):  # fmt: skip
        assert torch.equal(a, b)


def test_padding_between_real_steps_is_refused(memory_ways):
    case = CASES[0]
    mask = torch.ones(BATCH, TIME, dtype=torch.bool)
    mask[1, 2] = False
    with pytest.raises(UserError, match="mask row 1 has padding between real steps"):
        call(case, truth(case, (BATCH, TIME)).arguments, mask=mask, **memory_ways)
