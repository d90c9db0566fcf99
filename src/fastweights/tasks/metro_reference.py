"""What rewards on metro maps mean: the most that whoever knows the graph can expect, and what random moves bring."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.tasks.metro_graphs import NOWHERE


def expected_reward(
    graphs: Int[Tensor, "graphs states moves"],
    *,
    steps: int,
    reward: float,
    penalty: float,
    goal_restarts_timer: bool,
    best: bool,
) -> Float[Tensor, " graphs"]:
    """Compute the mean total reward of an episode on each graph, exactly, by induction from its last step to the first.

    V(state, goal, timer) is the mean of the reward still to come, 0 after the last step, and P(goal, timer) its mean
    over the places where goal and agent can be put after that goal. One step earlier,

        Q(state, goal, timer, move) = reward + P(goal, timer')                 at the goal
                                    = -penalty or 0 + V(state', goal, timer + 1)   elsewhere; + P(goal, 0) if time is up
        V(state, goal, timer)       = max or mean of Q over the moves.

    Args:
        graphs: to which state each move leads from each state, -1 where it leads nowhere.
        steps: of an episode.
        reward: of a goal.
        penalty: of a move that leads nowhere.
        goal_restarts_timer: as in the form "fixed" of `MetroMap`.
        best: for the best policy of those that know the graph; else for moves drawn evenly.

    Returns:
        one float64 a graph.
    """
    states, device = graphs.shape[1], graphs.device
    rows = torch.arange(len(graphs), device=device)[:, None, None]
    stations = torch.arange(states, device=device)
    nowhere = graphs == NOWHERE
    onward = torch.where(nowhere, stations[:, None], graphs)
    # Dimensions in the loop: graph, state, move, goal, timer.
    arrived = (graphs[..., None] == stations)[..., None]
    gained = reward * arrived.double() - penalty * nowhere[..., None, None].double()
    shape = len(graphs), states, states, states + 1
    value = torch.zeros(shape, dtype=torch.float64, device=device)
    for _ in range(steps):
        put = _put(value)[:, None, None]
        there = value[rows, onward]
        late = put[..., :1].expand_as(there[..., :1])
        elsewhere = torch.cat([there[..., 1:], late], -1)
        after_goal = put[..., :1] if goal_restarts_timer else put
        following = gained + torch.where(arrived, after_goal, elsewhere)
        value = following.amax(2) if best else following.mean(2)
    return _mean_over_states(value)[..., 0].mean(1)


def _put(
    value: Float[Tensor, "graphs states goals timers"],
) -> Float[Tensor, "graphs goals timers"]:
    """Average over where goal and agent can be put: any goal but the last one, any state but the new goal."""
    starts = _mean_over_states(value)
    return (starts.sum(1, keepdim=True) - starts) / (starts.shape[1] - 1)


def _mean_over_states(
    value: Float[Tensor, "graphs states goals timers"],
) -> Float[Tensor, "graphs goals timers"]:
    """Average over the states but the goal."""
    states = value.shape[1]
    apart = 1 - torch.eye(states, dtype=value.dtype, device=value.device)[..., None]
    return (value * apart).sum(1) / (states - 1)
