"""The authors' own program for the metro maps, from a checkout of theirs, to be timed beside ours.

Nothing of it is copied: it is imported from the folder given. It moves everything to a GPU, which here means nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import numpy as np
import torch

from fastweights.bench.official import imported

GRAPH_SEED = 666


@contextmanager
def program(folder: Path) -> Iterator[ModuleType]:
    """Import the program from a checkout, let it run on the CPU, and forget it afterwards; see `official.program`.

    Raises:
        UserError: if the folder is none, or the program does not import.
    """
    with (
        patch.object(torch.Tensor, "cuda", lambda tensor: tensor),
        imported(folder, "metaRL", "train_agent", owned=("train_agent", "myfastweights")) as found,
    ):
        yield found


def update(
    program: ModuleType, agents: int, hidden: int, size: int, rate: float, eps: float
) -> Callable[[], object]:
    """Build an update of theirs with the constants of their script.

    Args:
        program: of `program`, which must be held open while the update is used.
        agents: episodes in an update.
        hidden: units of the LSTM.
        size: features of the memory's keys and values.
        rate: Adam's learning rate.
        eps: Adam's ε.
    """
    constants = {
        "model": "fwm",
        "hidden": hidden,
        "s_size": size,
        "periods": 1,
        "batch_size": agents,
        "n_steps": 30,
        "n_actions": 3,
        "n_islands": 5,
        "in_size": 17,
        "reward": 10.0,
        "penalty": 0.05,
        "entropy_coef": 0.03,
        "value_coef": 0.1,
        "gamma": 0.9,
    }
    state = np.random.RandomState(GRAPH_SEED)
    test = program.generate_graphs(agents, 1, 3, 5, None, state)
    graphs = program.generate_graphs(agents, 1, 3, 5, test, state)
    torch.manual_seed(0)
    net = program.AgentFWM(constants)
    optimiser = torch.optim.Adam(net.parameters(), rate, eps=eps)

    def step() -> None:
        optimiser.zero_grad()
        net.reset()
        loss, _ = program.run_episode(constants, graphs, net)
        loss.backward()
        optimiser.step()

    return step
