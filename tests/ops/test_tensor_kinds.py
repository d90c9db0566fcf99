"""Kernels read addresses: tensors of other classes, or with other memory, take the plain path or are refused."""

import pytest
import torch
from torch.testing._internal.two_tensor import TwoTensor

import fastweights
import fastweights.nn as fnn
from fastweights import ops
from fastweights.errors import UserError
from fastweights.kernels import layout


def _lstm(wrap, which, backend="auto"):
    torch.manual_seed(0)
    tensors = [torch.randn(2, 5, 12), torch.randn(12, 3), torch.randn(2, 3), torch.randn(2, 3)]
    return _call(
        lambda gates, weight, hidden, cell: ops.lstm(
            gates, weight, hidden=hidden, cell=cell, backend=backend
        ),
        tensors, wrap, which,
    )  # fmt: skip


def _rnn(wrap, which, backend="auto"):
    torch.manual_seed(0)
    tensors = [torch.randn(2, 5, 4), torch.randn(4, 4), torch.randn(2, 4), torch.randn(2, 4, 4)]
    return _call(
        lambda drive, weight, hidden, memory: ops.fast_weight_rnn(
            drive, weight, hidden=hidden, memory=memory, decay=0.9, rate=0.1, nonlinearity="tanh", backend=backend
        ),
        tensors, wrap, which,
    )  # fmt: skip


def _memory(wrap, which, backend="auto"):
    torch.manual_seed(0)
    tensors = [
        torch.randn(2, 5, 4) / 2,
        torch.randn(2, 5, 3),
        torch.rand(2, 5),
        torch.rand(2, 4, 3),
    ]
    return _call(
        lambda keys, values, strength, memory: ops.delta_memory(
            (keys,), values, strength, queries=(keys,), memory=memory, backend=backend
        ),
        tensors, wrap, which,
    )  # fmt: skip


def _call(run, tensors, wrap, which):
    leaves = [tensor.requires_grad_() for tensor in tensors]
    given = [wrap(leaf) if i == which else leaf for i, leaf in enumerate(leaves)]
    results = run(*given)
    total = sum(result.square().sum() for result in results if result is not None)
    return plain(total), [plain(g) for g in torch.autograd.grad(total, leaves)]


def plain(tensor):
    return tensor.a if isinstance(tensor, TwoTensor) else tensor


class Named(torch.Tensor):
    """A class of the kind that users make: torch's own memory, another name."""


class Doubled(torch.autograd.Function):
    """Makes a `TwoTensor` inside a graph."""

    @staticmethod
    def forward(ctx, x):
        return TwoTensor(x.detach().clone(), x.detach().clone())

    @staticmethod
    def backward(ctx, gradient):
        return plain(gradient)


KINDS = {
    "two": Doubled.apply,
    "named": lambda x: x.as_subclass(Named),
    "negative": lambda x: -torch._neg_view(x),
    "strided": lambda x: torch.stack([x, x], -1)[..., 0],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("op", [_lstm, _rnn, _memory])
def test_any_tensor_gives_what_a_plain_one_gives(op, which, kind):
    total, gradients = op(KINDS[kind], which)
    true, true_gradients = op(lambda x: x, which, "reference")
    torch.testing.assert_close(torch.Tensor(total.detach()), true.detach(), rtol=1e-4, atol=1e-4)
    for got, wanted in zip(gradients, true_gradients, strict=True):
        torch.testing.assert_close(got.as_subclass(torch.Tensor), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("op", [_lstm, _rnn, _memory])
def test_kernels_refuse_what_they_cannot_read(op):
    with pytest.raises(UserError, match=r"'cpu' cannot run .*TwoTensor; accepted"):
        op(KINDS["two"], 1, "cpu")


def test_sparse_weights_are_refused_in_a_line():
    with pytest.raises(UserError, match=r"lstm: a tensor is torch.sparse_coo; accepted: dense"):
        ops.lstm(torch.ones(2, 5, 12), torch.ones(12, 3).to_sparse())


def test_a_negative_view_is_read_with_its_sign():
    gates, weight = torch.randn(2, 5, 12), torch.randn(12, 3)
    flipped = torch._neg_view(-weight)
    assert flipped.is_neg()
    for got, wanted in zip(ops.lstm(gates, flipped), ops.lstm(gates, weight), strict=True):
        torch.testing.assert_close(got, wanted)


class Gate(torch.autograd.Function):
    """Sends a `TwoTensor` back as the gradient of plain data, as a wrapped head does."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return TwoTensor(gradient, gradient.clone())


@pytest.mark.parametrize(
    "build",
    [
        lambda: fnn.LSTM(8, 16),
        lambda: fastweights.FastWeightRNN(8, 16),
        lambda: fastweights.FastWeightMemory(8, 4),
        lambda: fnn.DeltaNet(8, 8, heads=2),
        lambda: fastweights.FWMLSTM(8, 8, 4),
    ],
)
def test_layers_take_wrapped_data_and_gradients(build):
    layer, x = build(), torch.randn(2, 5, 8, requires_grad=True)
    true = layer(x)[0]
    (wanted,) = torch.autograd.grad(true.square().sum(), x)
    (got,) = torch.autograd.grad(Gate.apply(layer(x)[0]).square().sum(), x)
    torch.testing.assert_close(plain(got), wanted, rtol=1e-4, atol=1e-4)
    wrapped = layer(TwoTensor(x.detach(), x.detach().clone()))[0]
    torch.testing.assert_close(plain(wrapped), true, rtol=1e-4, atol=1e-4)


def test_wrapped_weights_run_with_the_right_numbers():
    layer, x = fastweights.FastWeightRNN(8, 16), torch.randn(2, 5, 8)
    true = layer(x)[0].detach()
    w = layer.recurrent.weight.detach()
    layer.recurrent.weight = torch.nn.Parameter(TwoTensor(w, w.clone()))
    y = layer(x)[0]
    torch.testing.assert_close(plain(y).detach(), true, rtol=1e-4, atol=1e-4)
    y.sum().backward()
    assert isinstance(layer.recurrent.weight.grad, TwoTensor)
    assert layer.backend_in_use == "chunked"


def test_wrapped_lstm_weights_run_with_the_right_numbers():
    layer, x = fnn.LSTM(8, 16), torch.randn(2, 5, 8)
    true = layer(x)[0].detach()
    w = layer.rnn.weight_hh_l0.detach()
    layer.rnn.weight_hh_l0 = torch.nn.Parameter(TwoTensor(w, w.clone()))
    torch.testing.assert_close(plain(layer(x)[0]).detach(), true, rtol=1e-4, atol=1e-4)


def test_no_address_is_taken_of_another_class():
    with pytest.raises(TypeError, match="TwoTensor"):
        layout.addresses_of(_Record, weight=TwoTensor(torch.ones(2), torch.ones(2)))


class _Record(tuple):
    _fields = ("weight",)
