"""The network of fast weights: its write rule, and its way back by hand against finite differences."""

import pytest
import torch

from fastweights import ops
from fastweights.ops.neural_memory import Learned, State
from fastweights.ops.neural_memory.reference import full_memory, rate, recall, write_

B, T, H, D, HEADS = 2, 5, 4, 3, 2


def vectors(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def arguments(heads=HEADS, layers=3):
    """Everything the op takes, away from zero; all but the start learned."""
    shapes = [(4 * H, H + D), ((1 + 3 * heads) * D, H), ((1 + 3 * heads) * D,), (1, D), (1,)]
    learned = Learned(*(0.8 * vectors(*s) for s in [*shapes, (layers * D, D), (layers * D,)]))
    state = State(*(0.5 * vectors(B, *s) for s in [(H,), (H,), (D,), (layers, D, D)]))
    return vectors(B, T, 4 * H), learned, vectors(layers, D, D), state


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("heads", "layers"), [(1, 1), (2, 3), (3, 2)])
def test_gradients_agree_with_finite_differences(heads, layers, padded):
    drive, learned, start, state = arguments(heads, layers)
    mask = torch.tensor([[True] * 3 + [False] * 2, [False] + [True] * 4]) if padded else None

    def run(drive, *given):
        course = ops.neural_memory(drive, Learned(*given[4:]), start, State(*given[:4]), mask=mask)
        return course.hidden, course.read, course.error, *course.state

    given = [tensor.requires_grad_() for tensor in (drive, *state, *learned)]
    assert torch.autograd.gradcheck(run, given, fast_mode=True)


def test_with_and_without_gradients_it_is_the_same():
    drive, learned, start, state = arguments()
    plain = ops.neural_memory(drive, learned, start, state, memory_steps=[1, 4])
    drive.requires_grad_()
    traced = ops.neural_memory(drive, learned, start, state, memory_steps=[1, 4])
    torch.testing.assert_close(traced.memory, plain.memory, rtol=0, atol=0)
    torch.testing.assert_close(
        (*traced[:3], *traced.state), (*plain[:3], *plain.state), rtol=0, atol=0
    )
    assert traced.hidden.requires_grad and not traced.memory.requires_grad
    torch.testing.assert_close(plain.memory[:, 1], plain.state.memory)


def test_nothing_given_is_changed_and_the_way_back_can_be_gone_twice():
    drive, learned, start, state = arguments()
    before = [tensor.clone() for tensor in (drive, *learned, start, *state)]
    learned[0].requires_grad_()
    course = ops.neural_memory(drive, learned, start, state)
    loss = course.read.square().sum() + course.state.memory.sum()
    first, second = (torch.autograd.grad(loss, learned[0], retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(loss, learned[0], create_graph=True)
    for tensor, kept in zip((drive, *learned, start, *state), before, strict=True):
        assert torch.equal(tensor, kept)


def test_long_sequences_in_single_precision_come_back():
    """Taking 300 writes back leaves the gradients of float32 near those of float64."""
    torch.manual_seed(1)
    _, learned, start, state = arguments()
    drive = vectors(B, 300, 4 * H)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        given = [x.detach().to(dtype).requires_grad_() for x in (drive, *state, *learned)]
        course = ops.neural_memory(
            given[0], Learned(*given[5:]), start.to(dtype), State(*given[1:5])
        )
        loss = course.read.square().mean() + course.error.mean()
        gradients.append(torch.autograd.grad(loss, given))
    for narrow, wide in zip(*gradients, strict=True):
        torch.testing.assert_close(
            narrow.double(), wide, rtol=1e-3, atol=1e-3 * float(wide.abs().max())
        )


def test_a_one_layer_memory_told_its_values_is_the_delta_rule():
    """With targets = values, a key of ‖k‖² = d / 2β gives what was written for it, one at a right angle nothing."""
    key = torch.nn.functional.normalize(vectors(B, 1, D), dim=-1)
    value, other = vectors(B, 1, D), torch.linalg.cross(key, vectors(B, 1, D))
    for strength in (0.3, 0.8):
        M = full_memory(vectors(1, D, D), vectors(B, 1, D, D))
        before = recall(M, other)
        scaled, found = (
            key * (D / (2 * strength)) ** 0.5,
            recall(M, key * (D / (2 * strength)) ** 0.5),
        )
        beta = torch.full((B, 1), strength, dtype=torch.float64)
        write_(M, scaled, found, rate(beta, 1, D) * (value - found))
        torch.testing.assert_close(recall(M, scaled), value)
        torch.testing.assert_close(recall(M, other), before)


def test_a_write_of_what_was_foretold_changes_nothing():
    """Where targets are what the layers put out already, here 0 for a memory of zeros, there is nothing to learn."""
    drive, learned, start, state = arguments()
    learned = learned._replace(
        targets=torch.zeros_like(learned.targets),
        targets_bias=torch.zeros_like(learned.targets_bias),
    )
    state = state._replace(memory=torch.zeros_like(state.memory))
    course = ops.neural_memory(drive, learned, torch.zeros_like(start), state)
    assert (course.state.memory == 0).all() and (course.read == 0).all()
