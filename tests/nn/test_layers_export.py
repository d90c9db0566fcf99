"""Every backbone as a program of `torch.export`: of any batch and time, in plain PyTorch, saved, loaded and run."""

import io
import logging

import pytest
import torch
from registered import INPUT, NAMES, padded, small
from torch.export import Dim
from torch.utils import _pytree as pytree

from fastweights import state as states

BATCH, TIME = Dim("batch", min=1, max=64), Dim("time", min=1, max=4096)
pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    # What torch says of its own modules and classes.
    pytest.mark.filterwarnings(
        "ignore:The tensor attributes self.*_flat_weights",
        "ignore:.*LeafSpec",
        "ignore:The .grad",
        "ignore:.*torch.jit.script_method",
    ),
]


def through_a_file(program):
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file)


def assert_equal(found, expected):
    torch.testing.assert_close(states.tensors(found), states.tensors(expected))


def namespaces(program):
    graphs = [module.graph for module in program.graph_module.modules() if hasattr(module, "graph")]
    targets = [node.target for graph in graphs for node in graph.nodes]
    return {each.namespace for each in targets if isinstance(each, torch._ops.OpOverload)}


@pytest.fixture(autouse=True)
def _quiet():
    """Saving says for each empty list that it has no type."""
    logger = logging.getLogger("torch._export.serde.serialize")
    before = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(before)


@pytest.mark.parametrize("name", NAMES)
def test_of_one_size(name):
    layer, x = small(name), torch.randn(2, 3, INPUT)
    program = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: BATCH}})
    assert namespaces(program) == {"aten"}
    again = torch.randn(3, 3, INPUT)
    assert_equal(program.module()(again), layer(again))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_of_any_batch_and_time(name):
    layer = small(name)
    x, mask = padded(2, 3)
    given = {"state": states.detach(layer(x)[1]), "mask": mask}
    shapes = {
        "x": {0: BATCH, 1: TIME},
        "state": pytree.tree_map(lambda _: {0: BATCH}, given["state"]),
        "mask": {0: BATCH, 1: TIME},
    }
    program = through_a_file(torch.export.export(layer, (x,), given, dynamic_shapes=shapes))
    assert namespaces(program) == {"aten"}
    x, mask = padded(3, 7)
    state = states.detach(layer(x)[1])
    found = program.module()(x, state=state, mask=mask)
    assert_equal(found, layer(x, state, mask=mask))
