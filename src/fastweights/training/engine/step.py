"""One training step: loss, gradients, their clip, and what the optimiser makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from fastweights import state as states
from fastweights.errors import UserError
from fastweights.training.engine import distributed, graphs
from fastweights.training.engine.averaging import AveragedOptimiser
from fastweights.training.engine.optimiser import clip, global_norm
from fastweights.training.engine.settings import Settings
from fastweights.training.engine.source import BatchSource, Source

Readings = Mapping[str, Tensor]


class Step:
    """Runs the steps of a training run, as CUDA graphs where the settings ask for it.

    Args:
        model: in training mode, on its device.
        source: of the batches.
        settings: for clip, precision, device and graphs.

    Attributes:
        parameters: those that are trained.
        optimiser: of them.

    Raises:
        UserError: if graphs are asked for and the source does not part its steps in two.
    """

    def __init__(self, model: nn.Module, source: Source, settings: Settings) -> None:
        self.model, self.source, self.settings = model, source, settings
        self.device = torch.device(settings.device)
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimiser = AveragedOptimiser(
            self.parameters, settings.optimiser, settings.averaging, graph=settings.graph
        )
        self.graphed = None
        if settings.graph:
            if not isinstance(source, BatchSource):
                raise UserError(
                    f"steps of {type(source).__name__} cannot be recorded as CUDA graphs: leave graph out"
                )
            self.graphed = graphs.GraphedSteps(self._learn, graphs.CudaRecorder(self.device))

    def run(self, rate: float, add: Callable[[Readings], object]) -> None:
        """Run the next step.

        Args:
            rate: of learning, but for the source's own factor.
            add: called with the readings; without a graph before the weights move, so that on a CPU they never take
                a NaN.
        """
        if self.graphed is None or not isinstance(self.source, BatchSource):
            with self.precision():
                loss, metrics = self.source.next_loss(self.model)
            self._set_rate(rate)
            self._descend(loss, metrics, add)
        else:
            batch = self.source.next_batch(self.model)
            self._set_rate(rate)
            readings, state = self.graphed(batch, self.optimiser.since)
            self.source.carry(state)
            add(readings)

    def precision(self) -> AbstractContextManager[object]:
        """Return the autocast context of the forward pass; weights and gradients keep the model's own type."""
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.settings.precision))

    def _set_rate(self, rate: float) -> None:
        self.optimiser.set_rate(rate * getattr(self.source, "rate_factor", 1.0))

    def _learn(self, batch: Any) -> tuple[Readings, object]:
        """Run a step on a batch that is there."""
        assert isinstance(self.source, BatchSource)
        found: dict[str, Tensor] = {}
        with self.precision():
            loss, metrics, state = self.source.loss(self.model, batch)
        self._descend(loss, metrics, found.update)
        return found, states.detach(state)

    def _descend(self, loss: Tensor, metrics: Readings, add: Callable[[Readings], object]) -> None:
        loss.backward()
        readings = distributed.average(self.parameters, {"loss": loss.detach(), **metrics})
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        with torch.no_grad():
            norm = global_norm(gradients)
            add({**readings, "gradient_norm": norm})
            if self.settings.clip:
                clip(gradients, norm, self.settings.clip)
        self.optimiser.step()
        for weight in self.parameters:
            weight.grad = None
