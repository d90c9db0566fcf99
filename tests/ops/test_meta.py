"""On "meta" every op gives results of the right shapes and types, and gradients; the cases of other devices that
look at numbers look at none there."""

import pytest
import torch

from fastweights import ops
from fastweights.errors import UserError
from fastweights.ops.neural_memory import Learned, State

B, T, H = 2, 5, 4
MASK = torch.tensor([[True] * T, [True] * 3 + [False] * 2])
CLASSES = torch.zeros(B, T, dtype=torch.long)


def rnn(new, mask, backend, form="inner", decay=0.9):
    if isinstance(decay, torch.Tensor):
        decay = decay.to(new(1).device)
    norm, state = {"norm_weight": new(H), "norm_bias": new(H)}, {"memory": new(B, H, H)}
    arguments = {"decay": decay, "rate": 0.5, "form": form, "mask": mask, "backend": backend}
    return ops.fast_weight_rnn(new(B, T, H), new(H, H), **arguments, **norm, **state)


def lstm(new, mask, backend, classes=None):
    arguments = {"mask": mask, "backend": backend}
    if classes is None:
        return ops.lstm(new(B, T, 4 * H), new(4 * H, H), **arguments)
    device = new(1).device
    return ops.lstm(new(7, 4 * H), new(4 * H, H), classes=classes.to(device), **arguments)


def memory(new, mask, backend, gate=None, rule="delta"):
    gate = new(B, T) if gate == "scalar" else gate
    keys, queries = (new(B, T, H), new(B, T, 3)), (new(B, T, H), new(B, T, 2, 3))
    arguments = {"gate": gate, "rule": rule, "mask": mask, "backend": backend}
    return ops.delta_memory(keys, new(B, T, H), new(B, T), queries=queries, **arguments)


def neural(new, mask, backend):
    rows = new(B, T, 4 * (H - 1))
    shapes = (4 * (H - 1), H - 1 + 2), (14, H - 1), (14,), (1, 2), (1,), (6, 2), (6,)
    state = State(new(B, H - 1), new(B, H - 1), new(B, 2), new(B, 3, 2, 2))
    learned = Learned(*(new(*shape) for shape in shapes))
    found = ops.neural_memory(
        rows, learned, new(3, 2, 2).detach(), state, mask=mask, backend=backend
    )
    return found.hidden, found.read, *found.state


CASES = {
    "rnn": rnn,
    "rnn-flat": lambda *a: rnn(*a, form="flat"),
    "rnn-learned": lambda *a: rnn(*a, decay=torch.tensor(0.9)),
    "lstm": lstm,
    "lstm-classes": lambda *a: lstm(*a, classes=CLASSES),
    "memory": memory,
    "memory-clamped": lambda *a: memory(*a, gate="norm"),
    "memory-hebbian": lambda *a: memory(*a, gate="scalar", rule="hebbian"),
    "neural": neural,
}


@pytest.mark.parametrize("backend", ["auto", "chunked", "reference"])
@pytest.mark.parametrize("case", CASES)
def test_shapes_and_types_on_meta(case, backend):
    if backend == "chunked" and case.startswith(("lstm", "neural")):
        backend = "reference"
    for mask in (None, MASK):
        found = {}
        for device in ("cpu", "meta"):

            def new(*shape, device=device):
                return torch.full(shape, 0.1, device=device, requires_grad=True)

            results = CASES[case](new, None if mask is None else mask.to(device), backend)
            sum(each.sum() for each in results).backward()
            found[device] = [(each.shape, each.dtype) for each in results]
            assert {each.device.type for each in results} == {device}
        assert found["meta"] == found["cpu"]


@pytest.mark.parametrize("backend", ["auto", "cpu", "reference"])
@pytest.mark.parametrize("wrong", [-1, 7])
def test_a_class_without_gates_is_refused(wrong, backend):
    with pytest.raises(UserError, match=f"class {wrong} has no row of gates; accepted: 0 to 6"):
        lstm(torch.zeros, None, backend, classes=torch.full((B, T), wrong))


@pytest.mark.parametrize("backend", ["auto", "chunked", "reference"])
def test_a_batch_without_rows_settles_at_once(backend):
    arguments = {"decay": 0.9, "rate": 0.5, "inner_steps": 10**20, "backend": backend}
    y, _, _ = ops.fast_weight_rnn(torch.zeros(0, T, H), torch.zeros(H, H), **arguments)
    assert y.shape == (0, T, H)
