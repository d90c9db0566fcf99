"""Rows of the metro maps' benchmark; a stand-in of a few lines plays the authors' program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from fastweights import ops
from fastweights.bench import metro_map, official_agents
from fastweights.errors import UserError

PROGRAM = """
import numpy as np
import torch
from myfastweights import SIZE

def generate_graphs(count, agents, actions, states, forbidden, random):
    return [random.rand(states) for _ in range(count)]

class AgentFWM(torch.nn.Linear):
    def __init__(self, constants):
        super().__init__(constants["in_size"], SIZE)
        self.resets = 0

    def reset(self):
        self.resets += 1

def run_episode(constants, graphs, net):
    x = torch.from_numpy(np.ones((len(graphs), constants["in_size"]), dtype="float32")).cuda()
    return net(x).pow(2).mean(), None
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "metaRL"
    root.mkdir()
    (root / "train_agent.py").write_text(PROGRAM)
    (root / "myfastweights.py").write_text("SIZE = 3\n")
    return tmp_path


def test_the_authors_stand_beside_ours(checkout: Path) -> None:
    if ops.backend.unavailable("delta_memory", "cpu"):
        pytest.skip("no kernels here")
    (row,) = metro_map.run(official=checkout, agents=8, repeats=2)
    fused, theirs = (row["milliseconds"][name] for name in ("fused", "authors"))
    assert row["speedup"] == {"authors": pytest.approx(theirs / fused)}
    assert row["updates_per_second"]["fused"] == pytest.approx(1e3 / fused)
    assert (row["goals"], row["agents"], row["steps"]) == ({"authors": 8.0}, 8, 30)
    json.dumps(row, allow_nan=False)
    columns, (cells,) = metro_map.BENCH.table([row])
    assert "authors ÷ fused" in columns and len(cells) == len(columns)


def test_without_a_checkout_ours_is_timed_alone() -> None:
    (row,) = metro_map.run(agents=8, repeats=1)
    assert row["milliseconds"].keys() == {"fused"} and row["speedup"] == row["goals"] == {}


def test_an_update_changes_every_weight_of_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    built, from_config = [], metro_map.models.from_config

    def keep(config: dict[str, object]) -> object:
        built.append(from_config(config))
        return built[-1]

    monkeypatch.setattr(metro_map.models, "from_config", keep)
    update = metro_map.ours(agents=8)
    (model,) = built
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    update()
    same = [name for name, weight in model.named_parameters() if torch.equal(weight, before[name])]
    assert same == []


def test_the_program_is_forgotten_and_tensors_are_as_before(checkout: Path) -> None:
    before = torch.Tensor.cuda
    with official_agents.program(checkout) as program:
        step = official_agents.update(program, 4, 32, 16, 1e-3, 1e-4)
        step()
        assert "train_agent" in sys.modules and torch.Tensor.cuda is not before
    assert "train_agent" not in sys.modules and "myfastweights" not in sys.modules
    assert torch.Tensor.cuda is before and str(checkout / "metaRL") not in sys.path


def test_a_folder_without_it_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"no metaRL/train_agent\.py"),
        official_agents.program(tmp_path),
    ):
        pass
