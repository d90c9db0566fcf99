"""What changes the weights: the optimiser, its learning-rate schedule, the gradient clip."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils import get_total_norm

from fastweights.errors import UserError, check_choice

NAMES = ("adam", "adamw", "rmsprop", "sgd")


@dataclass(frozen=True)
class Optimiser:
    """Which optimiser, and its constants.

    Attributes:
        name: "adam", "adamw", "rmsprop" or "sgd".
        learning_rate: at the schedule's peak, > 0.
        betas: Adam's decays; RMSProp takes the second as its smoothing, SGD the first as its
            momentum.
        eps: Adam's and RMSProp's ε.
        weight_decay: added to the gradient; decoupled from it in adamw.

    Example:
        >>> Optimiser("adam", 1e-3).build([torch.nn.Parameter(torch.zeros(2))]).defaults["lr"]
        0.001
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_choice("optimiser", self.name, NAMES)
        if not 0 < self.learning_rate < math.inf:
            raise UserError(f"the learning rate must be positive, not {self.learning_rate}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UserError(f"betas must lie in [0, 1), not {self.betas}")
        if not (0 <= self.eps < math.inf and 0 <= self.weight_decay < math.inf):
            raise UserError(
                f"eps and weight decay must be numbers ≥ 0, not {self.eps} and {self.weight_decay}"
            )

    def build(
        self, parameters: Iterable[torch.nn.Parameter], *, graph: bool = False
    ) -> torch.optim.Optimizer:
        """Build the torch optimiser; Adam and SGD on real weights run as one fused kernel a step.

        Args:
            parameters: all on one device.
            graph: for steps that are recorded as CUDA graphs: the learning rate is a number on the device.
        """
        parameters = list(parameters)
        rate, decay = rate_for(parameters, self.learning_rate, graph), self.weight_decay
        fused = all(parameter.is_floating_point() for parameter in parameters)
        on_gpu = graph and any(parameter.is_cuda for parameter in parameters)
        options = {"fused": fused, "capturable": on_gpu}
        if self.name == "adam":
            return torch.optim.Adam(parameters, rate, self.betas, self.eps, decay, **options)
        if self.name == "adamw":
            return torch.optim.AdamW(parameters, rate, self.betas, self.eps, decay, **options)
        if self.name == "rmsprop":
            options = {"foreach": True, "capturable": on_gpu}
            return torch.optim.RMSprop(parameters, rate, self.betas[1], self.eps, decay, **options)
        momentum = self.betas[0]
        return torch.optim.SGD(parameters, rate, momentum, weight_decay=decay, fused=fused)


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps: linear warm-up, then constant or a cosine to zero.

    Attributes:
        warmup: steps of linear warm-up; step s (from 0) takes (s + 1) / warmup of the peak.
        decay: "constant", or "cosine" from the peak after the warm-up to `floor` times the peak
            after the last step.
        floor: what the cosine ends at, as a share of the peak, 0 to 1.

    Example:
        >>> [round(Schedule(2, "cosine").factor(step, 6), 3) for step in range(6)]
        [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """

    warmup: int = 0
    decay: str = "constant"
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_choice("schedule", self.decay, ("constant", "cosine"))
        if self.warmup < 0 or not 0 <= self.floor <= 1:
            raise UserError(
                "warm-up must not be negative and the floor lie in [0, 1],"
                f" not {self.warmup} and {self.floor}"
            )

    def factor(self, step: int, steps: int) -> float:
        """Return the share of the peak learning rate at `step` (from 0) of `steps`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.decay == "constant":
            return 1.0
        passed = (step - self.warmup) / max(1, steps - self.warmup)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * passed))


def rate_for(weights: Sequence[Tensor], rate: float, graph: bool) -> float | Tensor:
    """Return a learning rate in the form that an optimiser is built with: a graph reads it from the weights' device.

    Example:
        >>> rate_for([torch.zeros(1)], 0.5, False), rate_for([torch.zeros(1)], 0.5, True)
        (0.5, tensor(0.5000))
    """
    return torch.full((), rate, device=weights[0].device) if graph else rate


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate, on a GPU rounded to float32: the same with a rate that lies on the device and without.

    Example:
        >>> optimiser = torch.optim.SGD([torch.zeros(1)], 0.5)
        >>> set_rate(optimiser, 0.25)
        >>> optimiser.param_groups[0]["lr"]
        0.25
    """
    group = optimiser.param_groups[0]
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        on_gpu = any(weight.is_cuda for weight in group["params"][:1])
        group["lr"] = ctypes.c_float(rate).value if on_gpu else rate


def global_norm(gradients: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Compute the Euclidean norm of all gradients as one vector, without waiting for the device."""
    if gradients[0].is_cuda:
        return get_total_norm(gradients)
    norm = torch.linalg.vector_norm
    return norm(torch.stack([norm(gradient) for gradient in gradients]))


def clip(gradients: Sequence[Tensor], norm: Float[Tensor, ""], limit: float) -> None:
    """Scale the gradients in place so that their global norm is at most `limit`.

    The same arithmetic as `torch.nn.utils.clip_grad_norm_`, to the bit, at half its cost.
    """
    if not norm.is_cuda and norm.item() + 1e-6 <= limit:
        return  # the scale is 1; on a GPU, asking would wait for it
    scale = (limit / (norm + 1e-6)).clamp_(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
