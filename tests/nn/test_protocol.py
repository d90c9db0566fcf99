"""What holds for every backbone: the laws of a carried state, padding, and the habits of a module."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastweights import nn
from fastweights import state as states

relaxed = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def close(a, b, tolerance=1e-10):
    """Two outputs or states agree, tensor by tensor."""
    pairs = list(zip(states.tensors(a), states.tensors(b), strict=True))
    assert pairs
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def assert_rounded(narrow, exact):
    """A bfloat16 result lies within six spacings of the exact one, in the norm (zeros lie 128 away)."""
    error = (narrow.float() - exact).norm() / exact.norm()
    assert error < 6 * torch.finfo(torch.bfloat16).eps


def floating(state):
    """The tensors of a state but for counters."""
    return [tensor for tensor in states.tensors(state) if tensor.is_floating_point()]


def started(backbone, rows=3, seed=2):
    """A state that is not zero."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, backbone.input_size, generator=generator, dtype=torch.float64)
    return states.detach(backbone(x)[1])


@relaxed
@given(cuts=st.lists(st.integers(1, 8), max_size=3), carried=st.booleans())
def test_split_anywhere(backbone, x, cuts, carried):
    state = started(backbone) if carried else None
    whole, end = backbone(x, state)
    pieces, edges = [], sorted({0, 9, *cuts})
    for begin, stop in pairwise(edges):
        y, state = backbone(x[:, begin:stop], state)
        pieces.append(y)
    close((whole, end), (torch.cat(pieces, 1), state))


@pytest.mark.parametrize("carried", [False, True])
def test_token_by_token(backbone, x, carried):
    state = started(backbone) if carried else None
    whole, end = backbone(x, state)
    outputs = []
    for t in range(x.shape[1]):
        y, state = backbone.step(x[:, t], state)
        outputs.append(y)
    close((whole, end), (torch.stack(outputs, 1), state))


@pytest.mark.parametrize("time", [5, 9])
def test_stepper_does_what_steps_do(backbone, x, time):
    expected, _ = backbone(x[:, :time])
    with torch.inference_mode():
        step = backbone.stepper(3, time)
        close(torch.stack([step(x[:, t]) for t in range(time)], 1), expected)


def test_zero_state_is_where_it_starts(backbone, x):
    close(backbone(x), backbone(x, backbone.initial_state(3)))
    assert all((tensor == 0).all() for tensor in states.tensors(backbone.initial_state(2)))


@relaxed
@given(order=st.permutations(range(3)))
def test_rows_never_see_each_other(backbone, x, order):
    state, order = started(backbone), torch.tensor(order)
    y, end = backbone(x, state)
    close(backbone(x[order], states.select(state, order)), (y[order], states.select(end, order)))
    alone = torch.tensor([1])
    close(backbone(x[alone], states.select(state, alone)), (y[alone], states.select(end, alone)))


def test_a_row_reset_is_a_row_started_afresh(backbone, x):
    marked = torch.tensor([True, False, True])
    reset = states.reset(started(backbone), marked)
    y, _ = backbone(x, reset)
    fresh, _ = backbone(x)
    close(y[marked], fresh[marked])
    assert not torch.allclose(y[1], fresh[1])


@relaxed
@given(
    lengths=st.lists(st.integers(0, 9), min_size=3, max_size=3),
    front=st.lists(st.booleans(), min_size=3, max_size=3),
    carried=st.booleans(),
)
def test_padding_is_as_if_it_were_not_there(backbone, x, lengths, front, carried):
    state = started(backbone) if carried else backbone.initial_state(3)
    steps = torch.arange(9)
    mask = torch.stack(
        [steps >= 9 - n if prefix else steps < n for n, prefix in zip(lengths, front, strict=True)]
    )
    spoiled = torch.where(mask[:, :, None], x, torch.nan)
    y, end = backbone(spoiled, state if carried else None, mask=mask)
    assert (y[~mask] == 0).all()
    for row, length in enumerate(lengths):
        this = torch.tensor([row])
        before = states.select(state, this)
        after = states.select(end, this)
        if length == 0:
            close(after, before, 0)
        else:
            alone, end_alone = backbone(x[row, mask[row]][None], before)
            close((y[row, mask[row]][None], after), (alone, end_alone))


def test_padding_carries_no_gradient(backbone, x):
    mask = torch.tensor([[False] * 2 + [True] * 7, [False] * 9, [True] * 4 + [False] * 5])
    spoiled = torch.where(mask[:, :, None], x, torch.nan).requires_grad_()
    y, state = backbone(spoiled, mask=mask)
    (y.square().sum() + sum(tensor.sum() for tensor in states.tensors(state))).backward()
    assert (spoiled.grad[~mask] == 0).all() and (spoiled.grad[mask] != 0).any()
    given = [spoiled, *backbone.parameters()]
    assert all(torch.isfinite(tensor.grad).all() for tensor in given)


def test_unbatched(backbone, x):
    y, end = backbone(x[:1])
    alone, end_alone = backbone(x[0])
    assert alone.shape == (9, backbone.output_size)
    close((alone, end_alone), (y[0], end))
    mask = torch.arange(9) < 4
    y, end = backbone(x[0], mask=mask)
    short, end_short = backbone(x[0, :4])
    close((y[:4], end), (short, end_short))


def test_padding_may_hold_no_class(backbone):
    if not backbone.takes_classes:
        pytest.skip("takes vectors only")
    tokens = torch.tensor([[0, 4, 2, -1], [99, 3, 0, 4]])
    mask = torch.tensor([[True, True, True, False], [False, True, True, True]])
    y, _ = backbone(tokens, mask=mask)
    close(y[:1, :3], backbone(tokens[:1, :3])[0])
    close(y[1:, 1:], backbone(tokens[1:, 1:])[0])


def test_without_the_state_the_outputs_are_the_same(backbone, x):
    y, state = backbone(x, need_state=False)
    assert state is None
    torch.testing.assert_close(y, backbone(x)[0], rtol=0, atol=0)


def test_classes_stand_for_one_hot_vectors(backbone):
    if not backbone.takes_classes:
        pytest.skip("takes vectors only")
    tokens = torch.tensor([[0, 4, 2, 2], [1, 3, 0, 4]])
    one_hot = torch.eye(backbone.input_size, dtype=torch.float64)[tokens]
    close(backbone(tokens), backbone(one_hot))
    close(backbone(tokens[0]), backbone(one_hot[0]))
    close(backbone.step(tokens[:, 0]), backbone.step(one_hot[:, 0]))
    gradients = [
        torch.autograd.grad(backbone(x)[0].square().sum(), list(backbone.parameters()))
        for x in (tokens, one_hot)
    ]
    close(*gradients)


@pytest.mark.parametrize("words", [3, 40], ids=["few", "many"])
def test_embedded_is_looked_up_whoever_does_it(backbone, words):
    """Fewer words than steps or more; what stands in padding is no word."""
    table = torch.randn(words, backbone.input_size, dtype=torch.float64, requires_grad=True)
    tokens = torch.tensor([[0, 2, 1, 1], [1, 0, 0, 2], [2, 2, 0, 1]])
    mask = torch.tensor([[True] * 4, [True] * 2 + [False] * 2, [False] + [True] * 3])
    inputs = (table, *backbone.parameters())
    results = []
    for x in (table[tokens], nn.Embedded(tokens.where(mask, -1), table)):
        y, state = backbone(x, mask=mask)
        total = y.square().sum() + sum(part.sum() for part in states.tensors(state))
        results.append(((y, state), torch.autograd.grad(total, inputs, allow_unused=True)))
    close(results[1][0], results[0][0])
    for found, true in zip(results[1][1], results[0][1], strict=True):
        torch.testing.assert_close(found, true)
    whole = nn.Embedded(tokens[0], table)
    close(backbone(whole), backbone(table[tokens[0]]))


def test_gradients_reach_every_parameter_the_input_and_the_state(backbone, x):
    state = started(backbone)
    for tensor in (x, *floating(state)):
        tensor.requires_grad_()
    y, end = backbone(x, state)
    loss = y.square().sum() + sum(tensor.square().sum() for tensor in states.tensors(end))
    loss.backward()
    given = [*backbone.parameters(), x, *(part for part in floating(state) if part.numel())]
    assert all(tensor.grad is not None and (tensor.grad != 0).any() for tensor in given)


def test_gradients_agree_with_finite_differences(backbone):
    torch.manual_seed(3)
    x = torch.randn(2, 4, backbone.input_size, dtype=torch.float64, requires_grad=True)
    direction = torch.randn_like(x)

    def loss(x):
        y, end = backbone(x)
        return y.sin().sum() + sum(tensor.sin().sum() for tensor in states.tensors(end))

    (gradient,) = torch.autograd.grad(loss(x), x)
    with torch.no_grad():
        step = 1e-6
        slope = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-7)


def test_trace_is_what_forward_computes(backbone, x):
    state = started(backbone)
    y, end = backbone(x, state)
    trace = backbone.trace(x, state)
    close((y, end), (trace.output, trace.state))
    last = trace.state[-1] if type(trace.state) is states.States else trace.state  # of a stack
    hidden = getattr(last, "hidden", trace.output[:, -1])
    torch.testing.assert_close(trace.hidden[:, -1], hidden)
    some = backbone.trace(x, state, memory_steps=[0, 5])
    if trace.memory is None:
        assert some.memory is None and some.memory_steps == ()
    else:
        assert trace.memory_steps == tuple(range(9)) and some.memory_steps == (0, 5)
        assert trace.memory.shape[:2] == (3, 9)
        torch.testing.assert_close(some.memory, trace.memory[:, [0, 5]])


def test_copies_and_saved_weights_compute_the_same(backbone, x, request):
    from backbones import BACKBONES, HIDDEN, INPUT

    close(copy.deepcopy(backbone)(x), backbone(x), 0)
    torch.manual_seed(99)
    name = request.node.callspec.params["backbone"]
    other = BACKBONES[name](INPUT, HIDDEN).double().eval()
    assert not torch.allclose(other(x)[0], backbone(x)[0])
    other.load_state_dict(backbone.state_dict())
    close(other(x), backbone(x), 0)


def test_dtype_follows_the_parameters(backbone, x):
    wide, _ = backbone(x)
    narrow, end = backbone.float()(x.float())
    assert narrow.dtype == torch.float32
    assert {tensor.dtype for tensor in floating(end)} == {torch.float32}
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-3, atol=1e-3)


def test_runs_in_bfloat16(backbone, x):
    narrow, _ = backbone.bfloat16()(x.bfloat16())
    assert narrow.dtype == torch.bfloat16
    exact, _ = backbone.float()(x.bfloat16().float())  # of the same rounded weights and input
    assert_rounded(narrow, exact)


def test_autocast_narrows_the_outputs_and_not_the_state(backbone, x):
    backbone = backbone.float()
    with torch.autocast("cpu", torch.bfloat16):
        y, state = backbone(x.float())
        again, state = backbone.step(x[:, 0].float(), state)
        with torch.no_grad():
            step = backbone.stepper(3, 2)
            stepped = torch.stack([step(x[:, t].float()) for t in range(2)], 1)
    assert y.dtype == again.dtype == stepped.dtype == torch.bfloat16
    assert {tensor.dtype for tensor in floating(state)} == {torch.float32}
    exact, _ = backbone(x.float())
    assert_rounded(y, exact)
    assert_rounded(stepped, exact[:, :2])


def test_repr_says_what_it_is(backbone):
    text = repr(backbone)
    assert type(backbone).__name__ in text and str(backbone.input_size) in text
