"""Pictures of episodes on metro maps, and of what each step of an episode brings."""

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from fastweights.errors import UserError
from fastweights.figures import Walk, reward_by_step, walk_strip

GRAPH = np.array([[1, -1], [2, 0], [0, -1]])


def walk():
    """Ride 0 → 1, fail at 1, ride 1 → 2 to the goal, be put at 0, run out of time."""
    return Walk(
        GRAPH,
        state=np.array([0, 1, 1, 0]),
        goal=np.array([2, 2, 2, 1]),
        move=np.array([0, 1, 0, 1]),
        reward=np.array([0.0, 0.0, 10.0, -0.05]),
        late=np.array([False, False, False, True]),
    )


def test_every_step_is_a_map_that_says_what_came_of_it():
    figure = walk_strip(walk(), title="an episode")
    told = [[text.get_text() for text in axes.texts][-2:] for axes in figure.axes]
    assert told == [
        ["t = 1", "move 0: to 1"],
        ["t = 2", "move 1: to 0"],
        ["t = 3", "move 0: +10"],
        ["t = 4", "move 1: time is up"],
    ]
    assert [text.get_text() for text in figure.texts] == ["an episode"]


def test_what_was_ridden_is_no_longer_pale_and_what_is_being_ridden_is_bold():
    lines = [
        [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
        for axes in walk_strip(walk()).axes
    ]
    alpha = [[line.get_alpha() for line in here] for here in lines]
    # Lines in order: 0 by move 0, 1 by move 0, 1 by move 1, 2 by move 0.
    assert alpha == [[1, 0.2, 0.2, 0.2], [1, 0.2, 1, 0.2], [1, 1, 1, 0.2], [1, 1, 1, 0.2]]
    bold = [int(np.argmax([line.get_linewidth() for line in here])) for here in lines[:3]]
    assert bold == [0, 2, 1]
    assert len({line.get_linewidth() for line in lines[3]}) == 1  # no line leads where it goes


def test_rewards_by_step_are_means_over_episodes():
    rewards = {"a": np.array([[0.0, 2.0], [4.0, 2.0]]), "b": np.zeros((3, 2))}
    (axes,) = reward_by_step(rewards, levels={"chance": 1.5}).axes
    assert [line.get_ydata()[0] for line in axes.lines] == [2.0, 0.0, 1.5]
    with pytest.raises(UserError, match="1 to 7 names, not 0"):
        reward_by_step({})


@pytest.mark.parametrize("low", [-3.0, 0.0])
def test_rewards_below_zero_are_on_the_page(low):
    """Warnings are errors here: a level off the page leaves no room for the panel."""
    rewards = {"a": np.array([[low, 1.0], [low, 2.0]])}
    figure = reward_by_step(rewards, levels={"chance": low / 2})
    (axes,) = figure.axes
    figure.canvas.draw()
    bottom = axes.get_ylim()[0]
    assert bottom < -3 if low else bottom == 0
    assert [text.get_text() for text in axes.texts] == [
        "chance\n\N{MINUS SIGN}1.5" if low else "chance\n0"
    ]
