"""Metro maps: small directed graphs whose edges are moves, drawn as the paper's listing 1 does."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from numpy.random import RandomState

from fastweights.errors import UserError
from fastweights.tasks.checks import as_int, check_int, describe_value

NOWHERE = -1
"""In a graph: this move leads nowhere from this state."""

MOST_GRAPHS = 100_000
LARGEST = 100
"""States, and moves at each, of a graph at most: more take longer to draw than anything learns from them."""

_REFUSALS = 1000
"""Train graphs refused one after the other before it is taken for certain that there are no others."""


class Graphs(NamedTuple):
    """The graphs of a task: to which state each move leads from each state, -1 where it leads nowhere.

    Attributes:
        train: [graphs, states, moves]; may hold a graph twice, but none that is in `test`.
        test: [graphs, states, moves]; may hold a graph twice.
    """

    train: Int[ndarray, "graphs states moves"]
    test: Int[ndarray, "graphs states moves"]


def draw(graphs: int, states: int, moves: int, seed: int) -> Graphs:
    """Draw the test graphs, then as many train graphs.

    The numbers come from NumPy's frozen `RandomState` in the order in which the paper's program takes them, so with
    its seed, 666, these are its very graphs.

    Args:
        graphs: how many of each, 1 to 100,000.
        states: 3 to 100; no graph with fewer meets the conditions of `draw_graph`.
        moves: 2 to 100.
        seed: 0 to 2³² - 1.

    Raises:
        UserError: for a number out of range, or if no graphs are left to train on.

    Source: Schlag et al. 2021, appendix I.

    Example:
        >>> draw(600, 5, 3, 666).test[0].tolist()
        [[-1, 2, 1], [-1, 4, 2], [-1, 3, 3], [-1, -1, 1], [0, 0, 1]]
    """
    check_int("graphs", graphs, 1, MOST_GRAPHS)
    check_int("states", states, 3, LARGEST)
    check_int("moves", moves, 2, LARGEST)
    number = as_int(seed)
    if number is None or not 0 <= number < 2**32:
        raise UserError(f"the seed of the graphs must be 0 to 2^32 - 1, not {describe_value(seed)}")
    return _draw(graphs, states, moves, seed)


@functools.lru_cache(maxsize=8)
def _draw(graphs: int, states: int, moves: int, seed: int) -> Graphs:
    """Draw what is asked for, checked."""
    random = RandomState(seed)
    test = [draw_graph(states, moves, random) for _ in range(graphs)]
    taken = {graph.tobytes() for graph in test}
    train = [_draw_another(states, moves, random, taken) for _ in range(graphs)]
    both = Graphs(np.stack(train), np.stack(test))
    for array in both:
        array.setflags(write=False)
    return both


def draw_graph(states: int, moves: int, random: RandomState) -> Int[ndarray, "states moves"]:
    """Draw one graph: each state can be left and reached, and all of them from everywhere.

    First every state gets a move to another one; then every state is made the target of a move that led nowhere yet,
    from another state. So 2 · states moves lead somewhere, and two of them may lead from one state to the same other.
    A graph is refused unless exactly 2^states moves can lead from anywhere to anywhere, and where no move is left to
    reach a state by.

    Source: Schlag et al. 2021, listing 1.
    """
    while True:
        onward = np.full((states, moves), NOWHERE)
        for origin in range(states):
            target = random.randint(states - 1)
            onward[origin, random.randint(moves)] = target + (target >= origin)
        if _make_reachable(onward, random) and _connected(onward):
            return onward


def _draw_another(
    states: int, moves: int, random: RandomState, taken: set[bytes]
) -> Int[ndarray, "states moves"]:
    """Draw a graph that is not among those taken."""
    for _ in range(_REFUSALS):
        graph = draw_graph(states, moves, random)
        if graph.tobytes() not in taken:
            return graph
    raise UserError(
        f"the test graphs are all there are of {states} states and {moves} moves; ask for fewer graphs"
    )


def _make_reachable(onward: Int[ndarray, "states moves"], random: RandomState) -> bool:
    """Point a move that leads nowhere at each state, from another one; False if none is left for one."""
    for state in range(len(onward)):
        free, origins = np.nonzero(onward.T == NOWHERE)
        elsewhere = np.nonzero(origins != state)[0]
        if not len(elsewhere):
            return False
        chosen = elsewhere[random.randint(len(elsewhere))]
        onward[origins[chosen], free[chosen]] = state
    return True


def _connected(onward: Int[ndarray, "states moves"]) -> bool:
    """Whether 2^states moves can lead from anywhere to anywhere, by squaring as often."""
    states = len(onward)
    reached = (onward[:, :, None] == np.arange(states)).any(1)
    for _ in range(states):
        reached = reached @ reached
    return bool(reached.all())
