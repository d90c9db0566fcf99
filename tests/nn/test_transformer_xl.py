"""Transformer-XL against its equations, one step after the other, and against torch's own layers."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import layer_norm

from fastweights import nn
from fastweights import state as states
from fastweights.errors import UserError
from fastweights.nn.parts import relative_attention

B, T, D, H, M = 2, 17, 5, 6, 4


def made(input_size=D, **options):
    torch.manual_seed(0)
    given = {"layers": 2, "heads": 2, "inner_size": 7, "memory_length": M, "weight_std": 0.5}
    layer = nn.TransformerXL(input_size, H, **given | options).double().eval()
    for parameter in layer.parameters():  # gains and biases too away from where they start
        parameter.data += 0.1 * torch.randn_like(parameter)
    return layer


def vectors(rows=B, time=T):
    return torch.randn(rows, time, D, generator=torch.Generator().manual_seed(1)).double()


def agree(a, b, tolerance=1e-11):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def encoding(distance):
    """R of a distance, written out."""
    frequencies = [10000 ** (-2 * i / H) for i in range((H + 1) // 2)]
    sines = [math.sin(distance * f) for f in frequencies]
    cosines = [math.cos(distance * f) for f in frequencies]
    return torch.tensor((sines + cosines)[:H], dtype=torch.float64)


def attended(layer, h, seen):
    """One row's attention, h [time, H]; step t sees the steps `seen(t)`. Returns it and its weights."""

    def split(x):
        return x.view(layer.heads, -1)

    reads, rows = [], []
    key, value = layer.key_value.weight.chunk(2)
    for t in range(len(h)):
        q = split(layer.query.weight @ h[t])
        row = h.new_zeros(layer.heads, len(h))
        y = torch.zeros_like(q)
        for head in range(layer.heads):
            logits = []
            for step in seen(t):
                k = split(key @ h[step])[head]
                r = split(layer.distance.weight @ encoding(t - step))[head]
                content = (q[head] + layer.content_bias[head]) @ k
                distance = (q[head] + layer.distance_bias[head]) @ r
                logits.append((content + distance) / math.sqrt(len(k)))
            row[head, list(seen(t))] = torch.softmax(torch.stack(logits), 0)
            for step in seen(t):
                y[head] = y[head] + row[head, step] * split(value @ h[step])[head]
        reads.append(layer.out.weight @ y.flatten())
        rows.append(row)
    return torch.stack(reads), torch.stack(rows)


def normed(norm, x):
    return layer_norm(x, x.shape[-1:], norm.weight, norm.bias, 1e-5)


@torch.no_grad()
def written_out(layer, x, seen):
    """One row from its very start, x [time, D]: y, what entered each layer, each layer's weights."""
    h = x if layer.input_size == H else x @ layer.input.weight.T
    entered, weights = [], []
    for one in layer.layers:
        entered.append(h)
        first, second = one.feed_forward[0], one.feed_forward[3]

        def feed(a, first=first, second=second):
            inner = torch.relu(a @ first.weight.T + first.bias)
            return inner @ second.weight.T + second.bias

        if one.pre_norm:
            read, rows = attended(one.attention, normed(one.attention_norm, h), seen)
            a = h + read
            h = a + feed(normed(one.feed_forward_norm, a))
        else:
            read, rows = attended(one.attention, h, seen)
            a = normed(one.attention_norm, h + read)
            h = normed(one.feed_forward_norm, a + feed(a))
        weights.append(rows)
    return h, torch.stack(entered), torch.stack(weights)


def band(reach):
    return lambda t: range(max(0, t - reach), t + 1)


options = pytest.mark.parametrize(
    "option",
    [
        {},
        {"pre_norm": True},
        {"heads": 3, "layers": 1},
        {"memory_length": 30},
        {"memory_length": 1},
    ],
    ids=str,
)


@options
@pytest.mark.parametrize("block", [1, 3, 256])
def test_it_is_its_equations_wherever_it_is_cut(option, block, monkeypatch):
    monkeypatch.setattr(relative_attention, "BLOCK", block)
    layer, x = made(**option), vectors()
    size = layer.memory_length
    y, state = layer(x)
    pieces, carried = [], None
    for begin, stop in pairwise([0, 2, 3, 11, T]):
        piece, carried = layer(x[:, begin:stop], carried)
        pieces.append(piece)
    for row in range(B):
        true, entered, _ = written_out(layer, x[row], band(size))
        agree(y[row].detach(), true)
        agree(torch.cat(pieces, 1)[row].detach(), true)
        kept = min(size, T)
        for end in (state, carried):
            agree(end.past[row, :, size - kept :].detach(), entered[:, T - kept :])
            assert (end.past[row, :, : size - kept] == 0).all()
            assert int(end.length[row]) == kept


def test_rows_of_different_lengths_carry_what_each_has_seen():
    """Three segments with padding before or after; every row as if it had been alone and whole."""
    layer, x, steps, state = made(memory_length=12), vectors(3, 27), torch.arange(9), None
    outputs, inputs = [[], [], []], [[], [], []]
    for segment, counts in zip(x.split(9, 1), [[9, 0, 3], [4, 2, 0], [0, 9, 1]], strict=True):
        lengths = torch.tensor(counts)
        first = torch.tensor([0, 9, 0]).minimum(9 - lengths)
        mask = (steps >= first[:, None]) & (steps < (first + lengths)[:, None])
        y, state = layer(segment, state, mask=mask)
        for row in range(3):
            outputs[row].append(y[row, mask[row]].detach())
            inputs[row].append(segment[row, mask[row]])
    assert state.length.tolist() == [12, 11, 4]
    for row in range(3):
        true, *_ = written_out(layer, torch.cat(inputs[row]), band(12))
        agree(torch.cat(outputs[row]), true)


def test_a_segment_window_sees_the_whole_segment_and_the_memory_before_it():
    layer, x = made(window="segment", layers=1), vectors(1)
    (first, state), cut = layer(x[:, :9]), 9
    second, _ = layer(x[:, cut:], state)
    true, *_ = written_out(layer, x[0], lambda t: range(0 if t < cut else cut - M, t + 1))
    agree(torch.cat([first, second], 1)[0].detach(), true)
    steps, _ = made(layers=1)(x)
    assert not torch.allclose(steps[0], true)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_without_distances_it_is_torchs_encoder_layer_behind_a_band(pre_norm):
    layer = made(input_size=H, layers=1, pre_norm=pre_norm)
    ours = layer.layers[0]
    peer = torch.nn.TransformerEncoderLayer(
        H, 2, 7, dropout=0.0, norm_first=pre_norm, batch_first=True, dtype=torch.float64
    )
    ours.attention.distance.weight.data.zero_()
    ours.attention.content_bias.data.zero_()
    qkv = torch.cat([ours.attention.query.weight, ours.attention.key_value.weight])
    weights = {
        "self_attn.in_proj_weight": qkv,
        "self_attn.in_proj_bias": torch.zeros(3 * H),
        "self_attn.out_proj.weight": ours.attention.out.weight,
        "self_attn.out_proj.bias": torch.zeros(H),
        "linear1.weight": ours.feed_forward[0].weight,
        "linear1.bias": ours.feed_forward[0].bias,
        "linear2.weight": ours.feed_forward[3].weight,
        "linear2.bias": ours.feed_forward[3].bias,
        "norm1.weight": ours.attention_norm.weight,
        "norm1.bias": ours.attention_norm.bias,
        "norm2.weight": ours.feed_forward_norm.weight,
        "norm2.bias": ours.feed_forward_norm.bias,
    }
    peer.load_state_dict(weights)
    x = torch.randn(B, T, H, dtype=torch.float64)
    back = torch.arange(T)[:, None] - torch.arange(T)
    agree(layer(x)[0], peer(x, src_mask=(back < 0) | (back > M)))


def test_a_step_reaches_so_far_back_and_no_farther():
    layer = made(layers=1)
    x = vectors().requires_grad_()
    _, state = layer(x[:, :7])
    y, _ = layer(x[:, 7:], state)
    (gradient,) = torch.autograd.grad(y[:, 2].sum(), x)
    reached = (gradient != 0).any(2)
    assert reached.tolist() == [[9 - M <= t <= 9 for t in range(T)]] * B


@pytest.mark.parametrize("time", [2, 4], ids=["few", "many"])
def test_gradients_agree_with_finite_differences_everywhere(time):
    layer = made(layers=1, heads=3)
    x = vectors(2, time)
    past = torch.randn(2, 1, M, H, dtype=torch.float64)
    state = nn.TransformerXLState(past, torch.tensor([M, 1]))
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def run(x, past, *parameters):
        y, end = torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (x, state._replace(past=past))
        )
        return y, end.past

    given = (x, past, *(parameter.detach().clone() for parameter in parameters))
    given = [tensor.requires_grad_() for tensor in given]
    assert torch.autograd.gradcheck(run, given, fast_mode=True)


@options
@pytest.mark.parametrize("block", [2, 256])
def test_a_trace_shows_the_weights(option, block, monkeypatch):
    monkeypatch.setattr(relative_attention, "BLOCK", block)
    layer, x = made(**option), vectors()
    _, state = layer(x[:, :5])
    weights = layer.trace(x).read_weights.detach()
    late = layer.trace(x[:, 5:], state).read_weights.detach()
    assert weights.shape == (B, T, len(layer.layers) * layer.heads, T)
    for row in range(B):
        *_, true = written_out(layer, x[row], band(layer.memory_length))
        true = true.transpose(1, 2).flatten(0, 1).transpose(0, 1)  # by layers, then by heads
        agree(weights[row], true)
        agree(late[row], true[5:, :, 5:])


@pytest.mark.parametrize("block", [2, 256])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_steps_that_are_not_read_change_nothing_else(block, share, monkeypatch):
    monkeypatch.setattr(relative_attention, "BLOCK", block)
    layer, x = made(), vectors(4)
    _, state = layer(vectors(4, 3) + 1, mask=torch.arange(3) < torch.arange(4)[:, None])
    state = states.detach(state)
    read = torch.rand(4, T, generator=torch.Generator().manual_seed(3)) < share
    read[2] = False
    steps = torch.arange(T)
    mask = torch.stack([steps < 17, steps < 11, steps < 5, steps >= 6])
    for given in (None, mask):
        y, end = layer(x, state, mask=given)
        some, same = layer(x, state, mask=given, read_mask=read)
        agree(some, y.masked_fill(~read[:, :, None], 0))
        agree(tuple(same), tuple(end))
        slopes = [
            torch.autograd.grad(
                (z * read[:, :, None]).sin().sum() + s.past.sin().sum(),
                list(layer.parameters()),
                materialize_grads=True,
                allow_unused=True,
            )
            for z, s in ((y, end), (some, same))
        ]
        agree(*slopes)


def test_dropout_is_for_training():
    layer, x = made(dropout=0.5), vectors()
    agree(layer(x)[0], layer(x)[0], 0)
    torch.manual_seed(0)
    y, _ = layer.train()(x)
    assert 0.4 < float((y == 0).double().mean()) < 0.6
    attention = made(dropout=0.0, attention_dropout=0.5)
    even = attention(x)[0]
    assert not torch.allclose(attention.train()(x)[0], even)


def test_the_length_stays_a_count():
    layer, x = made(), vectors()
    _, state = layer(x[:, :2])
    moved = states.to(state, torch.float32)
    assert moved.length.dtype == torch.int64 and moved.past.dtype == torch.float32
    assert states.reset(state, torch.tensor([True, False])).length.tolist() == [0, 2]
    with pytest.raises(UserError, match=r"state\.length is torch\.float64 .* torch\.int64"):
        layer.check_state(state._replace(length=state.length.double()), B)


def test_parameters_and_their_start():
    layer = nn.TransformerXL(20, 128, layers=1, memory_length=9)
    one = "layers.0"
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "input.weight": (128, 20),
        f"{one}.attention.query.weight": (128, 128),
        f"{one}.attention.key_value.weight": (256, 128),
        f"{one}.attention.distance.weight": (128, 128),
        f"{one}.attention.content_bias": (2, 64),
        f"{one}.attention.distance_bias": (2, 64),
        f"{one}.attention.out.weight": (128, 128),
        f"{one}.attention_norm.weight": (128,),
        f"{one}.attention_norm.bias": (128,),
        f"{one}.feed_forward.0.weight": (512, 128),
        f"{one}.feed_forward.0.bias": (512,),
        f"{one}.feed_forward.3.weight": (128, 512),
        f"{one}.feed_forward.3.bias": (128,),
        f"{one}.feed_forward_norm.weight": (128,),
        f"{one}.feed_forward_norm.bias": (128,),
    }
    for parameter in layer.parameters():
        if parameter.dim() == 2:
            assert float(parameter.detach().std()) == pytest.approx(0.02, rel=0.15)
    assert [tuple(part.shape) for part in layer.initial_state(3)] == [(3, 1, 9, 128), (3,)]


def test_the_published_size():
    """Table 1 of Schlag et al. 2021: 10.5 million weights with embedding and head, 3 · 1200 · 512 to carry."""
    layer = nn.TransformerXL(512)
    ours = sum(parameter.numel() for parameter in layer.parameters())
    assert ours + 2 * 180 * 512 == pytest.approx(10.5e6, rel=0.02)
    assert layer.initial_state(1).past.numel() == 3 * 1200 * 512
