"""The graphs are those of listing 1, number for number, and what the paper says of them holds."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import metro_graphs
from fastweights.tasks.metro_graphs import NOWHERE

PUBLISHED = "a3ece22d68ac2bdd"
"""Of the graphs that the authors' program draws from its data seed 666, test and then train, as signed bytes."""


def test_the_paper_s_own_graphs():
    drawn = metro_graphs.draw(600, 5, 3, 666)
    both = np.concatenate([drawn.test, drawn.train]).astype("<i1")
    assert hashlib.sha256(both.tobytes()).hexdigest()[:16] == PUBLISHED
    assert len({graph.tobytes() for graph in both}) == 1200


def within(graph: np.ndarray, steps: int) -> np.ndarray:
    """From where to where exactly so many moves can lead, walked one by one."""
    states = len(graph)
    reached = np.eye(states, dtype=bool)
    for _ in range(steps):
        onward = np.zeros_like(reached)
        for origin, target in zip(*np.nonzero(reached), strict=True):
            for there in graph[target]:
                if there != NOWHERE:
                    onward[origin, there] = True
        reached = onward
    return reached


@given(
    graphs=st.integers(1, 4),
    states=st.integers(3, 6),
    moves=st.integers(2, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_graphs_are_as_listing_1_draws_them(graphs, states, moves, seed):
    drawn = metro_graphs.draw(graphs, states, moves, seed)
    for graph in (*drawn.test, *drawn.train):
        assert graph.shape == (states, moves)
        leads = graph != NOWHERE
        assert leads.sum() == 2 * states and leads.any(1).all()
        assert set(graph[leads]) == set(range(states))
        assert not (graph == np.arange(states)[:, None]).any()
        assert within(graph, 2**states).all()
    tested = {graph.tobytes() for graph in drawn.test}
    assert not tested & {graph.tobytes() for graph in drawn.train}


def test_nobody_changes_the_graphs_of_others():
    drawn = metro_graphs.draw(2, 3, 3, 0)
    with pytest.raises(ValueError, match="read-only"):
        drawn.train[0, 0, 0] = 1
    assert metro_graphs.draw(2, 3, 3, 0) is drawn


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((0, 5, 3, 0), "graphs must be at least 1"),
        ((1, 2, 3, 0), "states must be at least 3"),
        ((1, 5, 1, 0), "moves must be at least 2"),
        ((2**31, 5, 3, 0), "graphs must be at most 100,000, not 2147483648"),
        ((1, 2**31, 3, 0), "states must be at most 100"),
        ((1, 5, 2**31, 0), "moves must be at most 100"),
        ((1, 5, 3, -1), "seed"),
        ((1, 5, 3, 2**32), "seed"),
        ((600, 3, 2, 0), "all there are of 3 states and 2 moves"),
    ],
)
def test_slips(options, complaint):
    with pytest.raises(UserError, match=complaint):
        metro_graphs.draw(*options)
