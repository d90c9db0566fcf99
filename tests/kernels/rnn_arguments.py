"""Random arguments for a backend of the fast-weights RNN, and the gradients it gives."""

from __future__ import annotations

import torch
from torch import Tensor

from fastweights.ops.fast_weight_rnn.options import Inputs, Options


def run(backend, **given):
    """Run a backend, its module, on named arguments."""
    return backend.run(
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


def differentiate(backend, tensors: dict, direction: Tensor, **options) -> dict[str, Tensor]:
    """Outputs and every gradient, the latter contracted with a fixed direction."""
    leaves = {
        name: value.detach().clone().requires_grad_() if isinstance(value, Tensor) else value
        for name, value in tensors.items()
    }
    outputs = run(backend, **leaves, **options)
    outputs.backward(direction)
    results = {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in leaves.items()
        if isinstance(value, Tensor)
    }
    return {"outputs": outputs.detach(), **results}
