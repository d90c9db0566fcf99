"""Masks to lengths and shifts, rows to the front and back."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.ops import padding

rows = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4)


def runs(row):
    """How often a row goes from padded to real."""
    return sum(b and not a for a, b in zip([False, *row], row, strict=False))


@given(rows)
def test_exactly_one_run_at_an_end_is_accepted(mask):
    fine = all(runs(row) <= 1 and (row[0] or row[-1] or not any(row)) for row in mask)
    if not fine:
        with pytest.raises(UserError, match="padding between real steps"):
            padding.lengths_and_shift(torch.tensor(mask))
        return
    lengths, shift = padding.lengths_and_shift(torch.tensor(mask))
    for row, length, before in zip(mask, lengths.tolist(), shift.tolist(), strict=True):
        assert row == [before <= t < before + length for t in range(5)] or not any(row)


@given(rows, st.integers(0, 2**32))
def test_to_front_and_back(mask, seed):
    mask = torch.tensor(mask).sort(1).values  # padding first
    lengths, shift = padding.lengths_and_shift(mask)
    x = torch.randn(*mask.shape, 2, generator=torch.Generator().manual_seed(seed))
    front = padding.to_front(x, shift)
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(front[row, :length], x[row][mask[row]])
    assert torch.equal(padding.to_back(front, shift), x)


def test_last_real():
    y = torch.arange(12.0).view(2, 3, 2)
    initial = -torch.ones(2, 2)
    assert padding.last_real(y, torch.tensor([2, 0]), initial).tolist() == [[2, 3], [-1, -1]]
    assert padding.last_real(y, torch.tensor([3, 1]), None).tolist() == [[4, 5], [6, 7]]


def test_no_time():
    lengths, shift = padding.lengths_and_shift(torch.ones(2, 0, dtype=torch.bool))
    x = torch.ones(2, 0, 3)
    assert lengths.tolist() == shift.tolist() == [0, 0]
    assert padding.to_back(padding.to_front(x, shift), shift).shape == (2, 0, 3)
    assert not padding.last_real(x, lengths, None).any()
