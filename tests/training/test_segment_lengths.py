"""The lengths of truncated back-propagation, held against the published rule written as a loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.training.sources.segment_lengths import segment_lengths


@given(
    steps=st.integers(1, 3000),
    length=st.integers(1, 90),
    vary=st.booleans(),
    epoch=st.integers(0, 5),
)
def test_segments_cover_an_epoch_exactly(steps, length, vary, epoch):
    lengths = segment_lengths(steps, length, vary=vary, epoch=epoch)
    assert lengths.sum() == steps and lengths.dtype == np.int64
    assert (lengths > 1).all() or length == 1 or steps == 1
    most = max(5, length + 10) if vary else length
    assert (lengths[:-1] >= (min(length + 10, 5) if vary else length)).all()
    assert (lengths[:-1] <= most).all() and lengths[-1] <= most + 1


def test_a_single_step_left_over_joins_the_segment_before_it():
    assert segment_lengths(71, 70, vary=False).tolist() == [71]
    assert segment_lengths(72, 70, vary=False).tolist() == [70, 2]
    assert segment_lengths(1, 70).tolist() == [1]


def test_lengths_follow_from_the_seed_and_the_epoch_alone():
    first = segment_lengths(5000, 70, seed=3, epoch=8)
    assert np.array_equal(first, segment_lengths(5000, 70, seed=3, epoch=8))
    for other in ({"seed": 4, "epoch": 8}, {"seed": 3, "epoch": 9}):
        assert not np.array_equal(first, segment_lengths(5000, 70, **other))


def by_the_paper(steps, chance):
    """Cut as section 5 of Merity et al. 2018 says, one segment after the other."""
    place, lengths = 0, []
    while place < steps:
        around = 70 if chance.random() < 0.95 else 35
        lengths.append(min(max(5, int(chance.normal(around, 5))), 80))
        place += lengths[-1]
    return lengths[:-1]


def test_lengths_are_distributed_as_published():
    ours = np.concatenate([segment_lengths(46_478, 70, epoch=e)[:-1] for e in range(40)])
    theirs = np.array([n for _ in range(40) for n in by_the_paper(46_478, np.random.default_rng())])
    assert ours.min() >= 5 and ours.max() == 80
    for low, high in ((5, 30), (30, 40), (40, 60), (60, 65), (65, 70), (70, 75), (75, 81)):
        share, expected = (np.mean((n >= low) & (n < high)) for n in (ours, theirs))
        assert share == pytest.approx(expected, abs=0.012), (low, high)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.4)
