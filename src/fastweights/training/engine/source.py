"""What the engine asks of a task: batches with a loss, an evaluation, a state to resume from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import check_choice

Reading = float | None | list[float] | list[float | None]


@runtime_checkable
class Source(Protocol):
    """A task made trainable.

    Supervised batches, endless streams (whose carried state is part of `state`) and rollouts all
    fit. Everything random in `next_loss` comes from torch's global generator or from generators
    that `state` holds.

    A source may have an attribute `rate_factor`: by it the learning rate of the batch last taken is
    multiplied, as that of a segment of text by its length.
    """

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the scalar loss of the next batch, and cheap scalar metrics of it.

        One of several processes takes its share of the batch; the means over the processes are the
        loss and the metrics of the whole.
        """
        ...

    def evaluate(self, model: nn.Module) -> Mapping[str, Reading]:
        """Measure the model on held-out data; the same data each time."""
        ...

    def probe(self, model: nn.Module) -> Mapping[str, float]:
        """Compute diagnostics for evaluations, such as gradient norms."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return all that exact resume needs: tensors, and plain JSON values; the first process, for all."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Go back to a state that `state` returned."""
        ...


class BatchSource(ABC):
    """The base of sources whose steps part in two, as CUDA graphs take them: a batch is made, then its loss.

    A batch is a tensor, None, or a tuple of batches: all that differs from step to step, on the model's device. Of two
    batches of the same shapes and types `loss` launches the same work: it asks for no tensor's numbers, and makes none
    from Python's.
    """

    @abstractmethod
    def next_batch(self, model: nn.Module) -> Any:
        """Return the next batch, and the state that `model` goes on from, if there is one."""

    @abstractmethod
    def loss(
        self, model: nn.Module, batch: Any
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor], object]:
        """Compute a batch's loss, its metrics, and the state that it leaves behind (None: none)."""

    def carry(self, state: object) -> None:  # noqa: B027  (most leave nothing behind)
        """Keep the state that a batch left behind."""

    def next_loss(self, model: nn.Module) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute the loss of the next batch, and metrics of it."""
        loss, metrics, state = self.loss(model, self.next_batch(model))
        self.carry(state)
        return loss, metrics


def number(readings: Mapping[str, object], name: str) -> float:
    """Return the number of this name among an evaluation's readings.

    Raises:
        UserError: if there is none.

    Example:
        >>> number({"loss": 0.5, "history": [1.0, 0.5]}, "loss")
        0.5
    """
    numbers = {key: value for key, value in readings.items() if isinstance(value, int | float)}
    check_choice("metric", name, numbers)
    return float(numbers[name])
