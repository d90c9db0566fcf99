"""All that exact resume needs, as named tensors and plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.runs.checkpoint import MODEL, part, prefixed
from fastweights.training.engine import distributed


def capture(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
    best: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return every tensor of the model, the optimiser and torch's global generators.

    Of several processes each has generators of its own; only the first gets those of all. Where the weights that a
    user should get are other ones, `best`, these are the part `model`, and those that training goes on with `trained`.
    """
    tensors = prefixed(MODEL, model.state_dict() if best is None else best)
    if best is not None:
        tensors |= prefixed("trained", model.state_dict())
    for index, state in optimiser.state_dict()["state"].items():
        present = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        tensors |= prefixed(f"optimiser.{index}", present)
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        random["mps"] = torch.mps.get_rng_state()
    for rank, states in enumerate(distributed.gather(random)):
        tensors |= prefixed(_generators(rank), states)
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
) -> None:
    """Restore what `capture` returned; a process that had no part in it keeps its generators as they are.

    Raises:
        UserError: if the tensors are another model's.
    """
    try:
        model.load_state_dict(part(tensors, "trained") or part(tensors, MODEL))
    except RuntimeError as error:
        raise UserError(
            "cannot resume with another model: the checkpoint does not fit it"
        ) from error
    full = optimiser.state_dict()
    full["state"] = {}
    for name, tensor in part(tensors, "optimiser").items():
        index, _, rest = name.partition(".")
        # A copy: the optimiser writes into its state, and what was read lies in the file's buffer.
        full["state"].setdefault(int(index), {})[rest] = tensor.clone()
    optimiser.load_state_dict(full)
    # Loading casts to the weights' type: a scalar of fewer bits, as ASGD's, would go on with more of them.
    for index, weight in enumerate(optimiser.param_groups[0]["params"]):
        state = optimiser.state[weight] if index in full["state"] else {}
        for name, value in state.items():
            state[name] = value.to(full["state"][index][name].dtype)
    random = part(tensors, _generators(distributed.rank()))
    if "cpu" in random:
        torch.set_rng_state(random["cpu"])
    if device.type == "cuda" and "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"], device)
    if device.type == "mps" and "mps" in random:
        torch.mps.set_rng_state(random["mps"])


def _generators(rank: int) -> str:
    """Return the name of the part that holds a process's generators."""
    return f"random_{rank}" if rank else "random"
