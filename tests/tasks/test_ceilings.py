"""The ceilings equal the published figures, enumeration where that is possible, and simulation elsewhere."""

from collections import Counter
from fractions import Fraction
from itertools import product

import pytest
import torch

from fastweights.tasks import ceilings
from fastweights.tasks.retrieval import Retrieval

PUBLISHED = {2: 0.5500, 4: 0.3835, 8: 0.2999, 16: 0.2360, 26: 0.2046}
SIMULATED = 200_000


@pytest.mark.parametrize(("pairs", "ceiling"), PUBLISHED.items())
def test_no_binding_as_published(pairs, ceiling):
    assert Retrieval(pairs).no_binding_ceiling == pytest.approx(ceiling, abs=5e-5)


@pytest.mark.parametrize(("pairs", "digits"), [(1, 10), (2, 10), (4, 10), (3, 3), (5, 3), (6, 2)])
def test_no_binding_by_enumeration(pairs, digits):
    words = list(product(range(digits), repeat=pairs))
    right = sum(max(Counter(word).values()) for word in words)
    assert ceilings.no_binding(pairs, digits) == Fraction(right, pairs * len(words))


@pytest.mark.parametrize(
    ("pairs", "letters", "digits"), [(1, 2, 2), (2, 3, 3), (3, 2, 4), (4, 3, 2)]
)
def test_best_with_repeats_by_enumeration(pairs, letters, digits):
    """Play every game: for each keys and values and each letter present, the best single answer."""
    right = total = 0
    for keys in product(range(letters), repeat=pairs):
        for values in product(range(digits), repeat=pairs):
            total += pairs
            for letter in set(keys):
                of_letter = [v for k, v in zip(keys, values, strict=True) if k == letter]
                right += max(Counter(of_letter).values())
    assert ceilings.best_with_repeats(pairs, letters, digits) == Fraction(right, total)


def test_best_possible():
    assert Retrieval(4, repeat_keys=True).best_possible == pytest.approx(0.950, abs=5e-4)
    assert Retrieval(1, repeat_keys=True).best_possible == 1
    assert Retrieval(26).best_possible == 1


def most_common_of(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The commonest digit of each row among the places counted, as one-hot logits."""
    return torch.zeros(len(values), 10).scatter_add_(1, values, counted.float())


@pytest.mark.parametrize("pairs", [2, 4, 11])
@pytest.mark.parametrize("repeat", [False, True])
def test_players_reach_both_ceilings(pairs, repeat):
    """A player without binding and a perfect one, on drawn sequences, score what is claimed."""
    task = Retrieval(pairs, repeat_keys=repeat)
    batch = task.sample(SIMULATED, torch.Generator().manual_seed(pairs))
    keys, values = batch.tokens[:, 0 : 2 * pairs : 2], batch.tokens[:, 1 : 2 * pairs : 2] - 26
    tolerance = 5 * 0.5 / SIMULATED**0.5
    every = most_common_of(values, torch.ones_like(values))
    assert task.metrics(every, batch)["accuracy"] == pytest.approx(
        task.no_binding_ceiling, abs=tolerance
    )
    asked = most_common_of(values, keys == batch.tokens[:, -1:])
    assert task.metrics(asked, batch)["accuracy"] == pytest.approx(
        task.best_possible, abs=tolerance
    )
