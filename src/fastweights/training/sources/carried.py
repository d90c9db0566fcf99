"""The state that one segment of a text leaves to the next, in a form that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fastweights import state as states

_NAME = "carried"


def named(state: Any) -> dict[str, Tensor]:
    """Name the tensors of a state in the order of its fields: "carried.000", …

    Example:
        >>> list(named((torch.zeros(2), (torch.ones(2), None))))
        ['carried.000', 'carried.001']
    """
    return {f"{_NAME}.{index:03d}": part for index, part in enumerate(states.tensors(state))}


def found(tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """Copy out of a checkpoint what `named` put there: what was read lies in the file's buffer."""
    return [tensors[name].clone() for name in sorted(tensors) if name.startswith(f"{_NAME}.")]


def rebuilt(tensors: Iterable[Tensor], model: nn.Module, rows: int) -> Any:
    """Put a state together again, in the form that the model has it."""
    kept = iter(tensors)
    return states.map_tensors(lambda tensor: next(kept).to(tensor.device), _some_state(model, rows))


def _some_state(model: nn.Module, rows: int) -> Any:
    """A state of the form that the model has."""
    zeros = getattr(model, "initial_state", None)
    if zeros is not None:
        return zeros(rows)
    device = next(model.parameters()).device
    cuda = [device] if device.type == "cuda" else []
    # A dropout in it would draw, and what follows would not be as without a break.
    with torch.no_grad(), torch.random.fork_rng(devices=cuda):
        return model(torch.zeros(rows, 1, dtype=torch.long, device=device), None)[1]
