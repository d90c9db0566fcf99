"""The fast-weights RNN as its equations stand, and random arguments for it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.fast_weight_rnn.cpu import run as cpu
from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def truth(
    drive, recurrent_weight, *, decay, rate, norm_weight, norm_bias, preliminary_norm_weight, preliminary_norm_bias,
    hidden, memory, inner_steps, nonlinearity, form, norm_eps,
):  # fmt: skip
    batch, time, size = drive.shape
    f = {"relu": torch.relu, "tanh": torch.tanh}[nonlinearity]

    def norm(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return y if weight is None else layer_norm(y, (size,), weight, bias, norm_eps)

    h = drive.new_zeros(batch, size) if hidden is None else hidden
    A = drive.new_zeros(batch, size, size) if memory is None else memory
    outputs = []
    for t in range(time):
        z = drive[:, t] + h @ recurrent_weight.T
        if form == "inner":
            h = f(norm(z, preliminary_norm_weight, preliminary_norm_bias))
        for _ in range(inner_steps):
            h = f(norm(z + torch.einsum("bij,bj->bi", A, h), norm_weight, norm_bias))
        A = decay * A + rate * torch.einsum("bi,bj->bij", h, h)
        outputs.append(h)
    return torch.stack(outputs, 1)


def fused(**given):
    """Run the fused backend on named arguments."""
    return cpu.run(
        Inputs(**{name: x for name, x in given.items() if name in Inputs._fields}),
        Options(**{name: x for name, x in given.items() if name in Options._fields}),
    )


def arguments(
    batch=5, time=7, size=9, *, norm=True, preliminary=False, state=False, learned=True, dtype=torch.float64,
    inner_steps=1, nonlinearity="relu", form="inner", seed=0,
) -> tuple[dict, dict]:  # fmt: skip
    """Random tensors (all leaves) and the options."""
    generator = torch.Generator().manual_seed(seed)

    def leaf(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        x = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + mean
        return x.to(dtype).requires_grad_()

    tensors = {
        "drive": leaf(batch, time, size),
        "recurrent_weight": leaf(size, size, scale=0.5 / size**0.5),
        "decay": leaf(scale=0.05, mean=0.9) if learned else 0.9,
        "rate": leaf(mean=0.4 if norm else 0.1 / size, scale=0.001) if learned else 0.3 / size,
        "norm_weight": leaf(size, scale=0.2, mean=1.0) if norm else None,
        "norm_bias": leaf(size, scale=0.1) if norm else None,
        "preliminary_norm_weight": leaf(size, scale=0.2, mean=1.0) if preliminary else None,
        "preliminary_norm_bias": leaf(size, scale=0.1) if preliminary else None,
        "hidden": leaf(batch, size) if state else None,
        "memory": leaf(batch, size, size, scale=0.3 / size**0.5) if state else None,
    }
    options = {
        "inner_steps": inner_steps,
        "nonlinearity": nonlinearity,
        "form": form,
        "norm_eps": 1e-5,
    }
    return tensors, options


def differentiate(function, tensors: dict, direction: Tensor, **options) -> dict[str, Tensor]:
    """Outputs and every gradient, the latter contracted with a fixed direction."""
    leaves = {
        name: value.detach().clone().requires_grad_() if isinstance(value, Tensor) else value
        for name, value in tensors.items()
    }
    outputs = function(**leaves, **options)
    outputs.backward(direction)
    results = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in leaves.items()
        if isinstance(value, Tensor)
    }
    return {"outputs": outputs.detach(), **results}
