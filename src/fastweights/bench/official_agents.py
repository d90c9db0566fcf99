"""The authors' own program for the metro maps, from a checkout of theirs, to be timed beside ours.

Nothing of it is copied: it is imported from the folder given. It moves everything to a GPU, which here means nowhere.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from fastweights.errors import UserError

GRAPH_SEED = 666
_MODULES = ("train_agent", "myfastweights")


@contextmanager
def program(folder: Path) -> Iterator[ModuleType]:
    """Import the program from a checkout, let it run on the CPU, and forget it afterwards.

    Args:
        folder: the checkout of `ischlag/Fast-Weight-Memory-public`.

    Raises:
        UserError: if the folder is none, or the program does not import.
    """
    root = folder / "metaRL"
    if not (root / "train_agent.py").is_file():
        raise UserError(
            f"{folder} is no checkout of the authors' code: it has no metaRL/train_agent.py"
        )
    shadowed = {name: sys.modules.pop(name) for name in _MODULES if name in sys.modules}
    sys.path.insert(0, str(root))
    try:
        with patch.object(torch.Tensor, "cuda", lambda tensor: tensor):
            yield importlib.import_module("train_agent")
    except ImportError as error:
        raise UserError(f"the authors' code in {folder} does not import: {error}") from error
    finally:
        sys.path.remove(str(root))
        for name in _MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(shadowed)


def update(
    program: Any, agents: int, hidden: int, size: int, rate: float, eps: float
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
