"""Every backbone as a program of `torch.export`: of any batch and time, in plain PyTorch, saved, loaded and run."""

import io
import logging

import pytest
import torch
from registered import INPUT, NAMES, padded, small
from torch.export import Dim
from torch.utils import _pytree as pytree

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn import FastWeightRNN

KINDS = (
    "gru-ln", "irnn", "lstm", "awd-lstm", "fast-weights", "fwm", "mnm", "gated-deltanet",
    "transformer-xl", "associative-lstm", "mlstm", "gated-deltaproduct", "rwkv-7", "titans",
)  # fmt: skip
"""One backbone of each way to go over time: a scan of an op or a cell, torch's own, attention, stacks of them.

They are programs of any size, the others of one: each takes a second.
"""
BATCH, TIME = Dim("batch", min=1, max=64), Dim("time", min=1, max=4096)
pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    # What torch says of its own modules and classes.
    pytest.mark.filterwarnings(
        "ignore:The tensor attributes self.*_flat_weights",
        "ignore:.*LeafSpec",
        "ignore:The .grad",
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


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KINDS])
def test_of_one_size(name):
    layer, x = small(name), torch.randn(2, 2, INPUT)
    program = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: BATCH}})
    assert namespaces(program) == {"aten"}
    again = torch.randn(3, 2, INPUT)
    assert_equal(program.module()(again), layer(again))


@pytest.mark.parametrize("name", ["lstm", "deltanet"])
def test_a_program_is_decomposed_and_learns(name):
    layer, x = small(name), torch.randn(2, 3, INPUT)
    program = torch.export.export(layer, (x,)).run_decompositions().module()
    for each in (layer, program):
        each(x)[0].square().sum().backward()
    for key, parameter in layer.named_parameters():
        torch.testing.assert_close(program.get_parameter(key).grad, parameter.grad)


def test_a_time_left_open_is_for_inference():
    layer, x = small("gru-ln"), torch.randn(2, 3, INPUT)
    with pytest.raises(UserError, match=r"without gradients; accepted: .* under torch\.no_grad"):
        torch.export.export(layer, (x,), dynamic_shapes={"x": {1: TIME}})


def test_kernels_are_in_no_program():
    layer, x = FastWeightRNN(INPUT, 3, backend="cpu"), torch.randn(2, 3, INPUT)
    with pytest.raises(UserError, match=r"'cpu' cannot run fast_weight_rnn: exported programs"):
        torch.export.export(layer, (x,))
    layer(x)  # and what a program may not hold is not lost to others


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore"
)  # torch's own, of modules that its prototype of a scan brings in
@pytest.mark.parametrize("name", KINDS)
def test_of_any_batch_and_time(name):
    layer = small(name)
    x, mask = padded(2, 3)
    state = states.detach(layer(x)[1])
    # For classes other than Python's own, torch takes shapes in a list alone: a stack's state goes in as a tuple.
    given = {"state": tuple(state) if type(state) is states.States else state, "mask": mask}
    shapes = {
        "x": {0: BATCH, 1: TIME},
        "state": pytree.tree_map(lambda _: {0: BATCH}, given["state"]),
        "mask": {0: BATCH, 1: TIME},
    }
    with torch.no_grad():
        program = torch.export.export(layer, (x,), given, dynamic_shapes=shapes)
    program = through_a_file(program)
    assert namespaces(program) == {"aten"}
    x, mask = padded(3, 7)
    state = states.detach(layer(x)[1])
    state = tuple(state) if type(state) is states.States else state
    with torch.no_grad():
        found = program.module()(x, state=state, mask=mask)
    assert_equal(found, layer(x, state, mask=mask))
