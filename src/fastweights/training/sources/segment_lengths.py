"""How long the segments are over which truncated back-propagation through time runs (Merity et al. 2018, section 5)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from fastweights.training.engine import seeds

SHORTEST = 5
"""No segment is drawn shorter."""

LONGER = 10
"""By how much a segment may be longer than the nominal length."""

DEVIATION = 5.0
HALVED = 0.05
"""How likely a segment is drawn about half the nominal length."""


def segment_lengths(
    steps: int, length: int, *, vary: bool = True, seed: int = 0, epoch: int = 0
) -> Int64[np.ndarray, " segments"]:
    """Cut the steps of an epoch into segments, so that words do not meet the same borders in every epoch.

    A length is drawn from a normal distribution around `length`, or around its half with a probability of 0.05, of
    standard deviation 5, cut down to a whole number and held between 5 and `length + 10`. What is left at the end makes
    a shorter segment; a single step joins the segment before it, as a step alone has no difference in time.

    Args:
        steps: of a row in an epoch, ≥ 1.
        length: the nominal length, ≥ 1.
        vary: False: all segments of the nominal length, but for the last.
        seed: with the epoch it is all that the lengths follow from.
        epoch: from 0.

    Returns:
        the segments' lengths, in order; their sum is `steps`.

    Example:
        >>> segment_lengths(150, 70, vary=False).tolist()
        [70, 70, 10]
        >>> segment_lengths(141, 70, vary=False).tolist()
        [70, 71]
    """
    if vary:
        chance = np.random.default_rng(seeds.derive(seed, f"lengths {epoch}"))
        most = -(-steps // SHORTEST)
        around = np.where(chance.random(most) < HALVED, length / 2, length)
        drawn = np.trunc(chance.normal(around, DEVIATION)).astype(np.int64)
        lengths = np.minimum(np.maximum(drawn, SHORTEST), length + LONGER)
    else:
        lengths = np.full(-(-steps // length), length, dtype=np.int64)
    ends = np.cumsum(lengths)
    count = int(np.searchsorted(ends, steps)) + 1  # the first one to reach the end is the last
    lengths = lengths[:count]
    lengths[-1] -= ends[count - 1] - steps
    if count > 1 and lengths[-1] == 1:
        lengths = lengths[:-1]
        lengths[-1] += 1
    return lengths
