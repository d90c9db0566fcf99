"""Metro maps: find the way to the goal, again and again, on a map that only riding reveals."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks import metro_graphs, metro_reference
from fastweights.tasks.checks import check_actions, check_int, describe_value, is_finite

FORMS = ("faithful", "fixed")


class World(NamedTuple):
    """Agents on their graphs, a row each.

    Attributes:
        graph: [agents, states, moves], the state to which each move leads from each state, or -1.
        goal: [agents], the state to get to.
        state: [agents], the state where the agent is.
        last: [agents], its last action, or the number of moves where it has none to remember.
        timer: [agents], steps without a goal since the timer was set to 0.
        step: [agents], steps since the beginning.
        total: [agents], rewards so far.
        lots: [agents, steps, 2], for each step the numbers that say where goal and agent are put if it comes to that.
    """

    graph: Int[Tensor, "agents states moves"]
    goal: Int[Tensor, " agents"]
    state: Int[Tensor, " agents"]
    last: Int[Tensor, " agents"]
    timer: Int[Tensor, " agents"]
    step: Int[Tensor, " agents"]
    total: Float[Tensor, " agents"]
    lots: Int[Tensor, "agents steps 2"]


class MetroMap:
    """Get to the goal on a map that only riding reveals, again and again: meta-reinforcement learning.

    Every agent is on a graph of a few states, unknown to it; each move leads from a state to another one or nowhere
    (`metro_graphs`). At the goal it is rewarded, and goal and agent are put somewhere else, so that it can use what it
    has learned of the graph; so are they, without a reward, after states + 1 steps without a goal. A new goal is never
    the last one, and the agent is never put on the goal. A move that leads nowhere costs the penalty.

    An observation has 2 · states + moves + 4 numbers: the goal, one-hot; the state, one-hot; the last action, one-hot,
    with one more for none (at first, and after the time was up); a fixed 1; step / steps; and the rewards so far, in
    units of the goal's. In three things the paper's program, by which its numbers were measured, does not do what the
    paper says. The form "faithful" does as the program does, "fixed" as the paper says:

    - the program's number for rewards is always 0;
    - a goal does not set its timer to 0, so that an agent may be put elsewhere soon after reaching one;
    - its ones for the last action are a place too far on: the first place stays 0, "none" falls on the fixed 1.

    Train and test graphs are drawn once and for all; agent i walks on graph i mod `graphs` of the split.

    Args:
        form: "faithful" or "fixed".
        states: stations of a graph, 3 or more.
        moves: what can be done at each, 2 or more.
        graphs: how many there are to train on; there are as many others to test on.
        steps: of an episode, 1 or more.
        reward: of a goal, above 0.
        penalty: of a move that leads nowhere, 0 or more; it is subtracted.
        graph_seed: what the graphs are drawn from; 666 gives, with the defaults of the others, the authors' own.

    Attributes:
        features, actions, horizon: numbers in an observation, moves, steps of an episode; see `Environment`.

    Raises:
        UserError: for an option out of range.

    Source: Schlag et al. 2021, section 4.2 and appendix I, and the program released with it.

    Example:
        >>> task, generator = MetroMap("fixed"), torch.Generator().manual_seed(0)
        >>> observation, world = task.reset(600, generator, "test")
        >>> observation, reward, world = task.step(world, torch.zeros(600).long(), generator)
        >>> observation.shape, torch.equal(world.total, reward)
        (torch.Size([600, 17]), True)
    """

    def __init__(
        self,
        form: str = "faithful",
        *,
        states: int = 5,
        moves: int = 3,
        graphs: int = 600,
        steps: int = 30,
        reward: float = 10.0,
        penalty: float = 0.05,
        graph_seed: int = 666,
    ) -> None:
        check(form, steps, reward, penalty)
        drawn = metro_graphs.draw(graphs, states, moves, graph_seed)
        self._graphs = {
            split: torch.tensor(getattr(drawn, split), device="cpu") for split in drawn._fields
        }
        self.form, self.states, self.moves, self.graphs = form, states, moves, graphs
        self.steps, self.reward, self.penalty = steps, reward, penalty
        self.graph_seed = graph_seed
        self.features, self.actions, self.horizon = 2 * states + moves + 4, moves, steps

    def __repr__(self) -> str:
        names = ("states", "moves", "graphs", "steps", "reward", "penalty", "graph_seed")
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"MetroMap({self.form!r}, {options})"

    def maps(self, split: str) -> Int[Tensor, "graphs states moves"]:
        """Return the graphs of a split: the state to which each move leads from each state, or -1.

        Raises:
            UserError: for an unknown split.
        """
        check_choice("split", split, self._graphs)
        return self._graphs[split]

    def best_possible(self, split: str) -> float:
        """Compute the mean reward, over a split's graphs, of the best policy of those that know the graph; exact.

        It bounds what an agent can reach, which has to find the graph out first.
        """
        return self._expected(split, best=True)

    def chance(self, split: str) -> float:
        """Compute the mean reward, over a split's graphs, of moves drawn evenly; exact."""
        return self._expected(split, best=False)

    def reset(
        self, agents: int, generator: torch.Generator, split: str = "train"
    ) -> tuple[Float[Tensor, "agents features"], World]:
        """Place every agent and its goal on the agent's graph; see `Environment`."""
        check_int("the number of agents", agents, 1)
        device = generator.device
        graph = self.maps(split)[torch.arange(agents, device="cpu") % self.graphs].to(device)
        goal = torch.randint(self.states, (agents,), generator=generator, device=device)
        shape = (agents, self.steps, 2)
        lots = torch.randint(self.states - 1, shape, generator=generator, device=device)
        start = torch.randint(self.states - 1, (agents,), generator=generator, device=device)
        zeros = torch.zeros_like(goal)
        world = World(
            graph=graph,
            goal=goal,
            state=_other(goal, start),
            last=torch.full_like(goal, self.moves),
            timer=zeros,
            step=zeros,
            total=torch.zeros(agents, device=device, dtype=torch.float32),
            lots=lots,
        )
        return self._observe(world), world

    def step(
        self, world: World, actions: Int[Tensor, " agents"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "agents features"], Float[Tensor, " agents"], World]:
        """Move every agent, and put those elsewhere that are at their goal or have no time left; see `Environment`.

        All that is random was drawn for each agent when it began: nothing is taken from the generator.

        Raises:
            UserError: on a CPU, for an invalid move.
        """
        check_actions(actions, self.moves)
        place = (world.state * self.moves + actions)[:, None]
        onward = world.graph.flatten(1).gather(1, place)[:, 0]
        nowhere, arrived = onward == metro_graphs.NOWHERE, onward == world.goal
        reward = self.reward * arrived.float() - self.penalty * nowhere.float()
        timer = world.timer + ~arrived
        late = timer > self.states
        restart = late if self.form == "faithful" else late | arrived
        put = late | arrived
        now = world.step[:, None, None].expand(-1, 1, 2)
        goal_lot, state_lot = world.lots.gather(1, now)[:, 0].unbind(1)
        goal = torch.where(put, _other(world.goal, goal_lot), world.goal)
        state = torch.where(nowhere, world.state, onward)
        world = World(
            graph=world.graph,
            goal=goal,
            state=torch.where(put, _other(goal, state_lot), state),
            last=actions.masked_fill(late, self.moves),
            timer=timer.masked_fill(restart, 0),
            step=world.step + 1,
            total=world.total + reward,
            lots=world.lots,
        )
        return self._observe(world), reward, world

    def _expected(self, split: str, *, best: bool) -> float:
        expected = metro_reference.expected_reward(
            self.maps(split),
            steps=self.steps,
            reward=self.reward,
            penalty=self.penalty,
            goal_restarts_timer=self.form == "fixed",
            best=best,
        )
        return float(expected.mean())

    def _observe(self, world: World) -> Float[Tensor, "agents features"]:
        """Return what the agents are given: four ones each, all put into zeros at once, and two numbers."""
        faithful = self.form == "faithful"
        last = 2 * self.states + world.last + faithful
        always = torch.full_like(last, 2 * self.states + self.moves + 1)
        ones = torch.stack([world.goal, self.states + world.state, last, always], 1)
        seen = torch.zeros(len(ones), self.features, device=ones.device, dtype=torch.float32)
        seen.scatter_(1, ones, 1.0)[:, -2] = world.step.float() / self.steps
        if not faithful:
            seen[:, -1] = world.total / self.reward
        return seen


def check(form: str, steps: int, reward: float, penalty: float) -> None:
    """Check the options but for those of the graphs.

    Raises:
        UserError: naming the first.
    """
    check_choice("form", form, FORMS)
    check_int("steps", steps, 1)
    if not (is_finite(reward) and reward > 0):
        raise UserError(f"reward must be above 0 and finite, not {describe_value(reward)}")
    if not (is_finite(penalty) and penalty >= 0):
        raise UserError(
            f"penalty must be 0 or more and finite, not {describe_value(penalty)}; it is subtracted"
        )


def _other(than: Int[Tensor, " agents"], lot: Int[Tensor, " agents"]) -> Int[Tensor, " agents"]:
    """Choose each agent a state by its lot, 0 to states - 2, any but the one given."""
    return lot + (lot >= than)
