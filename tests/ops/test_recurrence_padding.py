"""Padding before or after a row's real steps: as if the row were run alone at its own length."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle_points import call, truth

from fastweights.errors import UserError
from fastweights.oracle.fast_weight_rnn_gradcheck import Case

CASES = [
    Case(),
    Case(norm=False),
    Case(inner_steps=2, nonlinearity="tanh", preliminary=True),
    Case(form="flat", nonlinearity="tanh"),
]
BATCH, TIME = 4, 7

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


@cases
@pytest.mark.parametrize("carried", [True, False], ids=["carried", "zero"])
@given(
    lengths=st.lists(st.integers(0, TIME), min_size=BATCH, max_size=BATCH),
    before=st.lists(st.booleans(), min_size=BATCH, max_size=BATCH),
    garbage=st.sampled_from([0.0, 1e30, float("nan"), float("inf")]),
)
def test_a_padded_row_is_the_row_alone(case, carried, backends, lengths, before, garbage):
    """Outputs, final state and gradients; what stands in padded steps is nobody's business."""
    mask, slices = masked(lengths, before)
    arguments = truth(case, (BATCH, TIME, 5), carried).arguments
    leaves = {k: v.clone().requires_grad_() for k, v in arguments.items()}
    padded = leaves | {"drive": torch.where(mask[:, :, None], leaves["drive"], garbage)}
    outputs, h, A = call(case, padded, mask=mask, **backends)
    assert (outputs[~mask] == 0).all()

    total = 0
    for row, real in enumerate(slices):
        alone = {k: v[row : row + 1] if k in ("hidden", "memory") else v for k, v in leaves.items()}
        alone["drive"] = leaves["drive"][row : row + 1, real]
        true = call(case, alone, **backends)
        for a, b in zip((outputs[row : row + 1, real], h[[row]], A[[row]]), true, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
        total = total + sum((result**2).sum() for result in true)
    if any(lengths) or carried:
        expected = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        scalar = (outputs**2).sum() + (h**2).sum() + (A**2).sum()
        found = torch.autograd.grad(scalar, list(leaves.values()), allow_unused=True)
        for name, a, b in zip(leaves, found, expected, strict=True):
            a, b = (torch.zeros_like(leaves[name]) if g is None else g for g in (a, b))
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=name)


def test_a_row_that_would_diverge_in_its_padding_does_not(backends):
    """ReLU without LN explodes on a strong drive; padded steps must not make 0 · ∞ in the gradient."""
    drive = torch.full((2, 60, 3), 0.1, requires_grad=True)
    weight = torch.full((3, 3), 1.5, requires_grad=True)
    mask = torch.arange(60) < torch.tensor([[3], [4]])
    case = Case(norm=False)
    arguments = {"drive": drive, "recurrent_weight": weight, "decay": 1.0, "rate": 1.0}
    outputs, _, A = call(case, arguments, mask=mask, **backends)
    (outputs.sum() + A.sum()).backward()
    assert weight.grad.isfinite().all() and drive.grad.isfinite().all()
    assert not drive.grad[~mask].any() and drive.grad[mask].any()


def test_padding_between_real_steps_is_refused(backends):
    case = Case()
    arguments = truth(case, (2, 4, 5)).arguments
    mask = torch.tensor([[True] * 4, [True, False, True, True]])
    with pytest.raises(UserError, match="mask row 1 has padding between real steps"):
        call(case, arguments, mask=mask, **backends)
