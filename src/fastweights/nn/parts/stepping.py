"""A sequence whose inputs come one by one: an episode, in which outputs decide what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxtyping import Float, Integer
from torch import Tensor

from fastweights.errors import UserError
from fastweights.nn.parts import checks

if TYPE_CHECKING:
    from fastweights.nn.backbone import Backbone


class Stepper:
    """Runs a backbone over one sequence from zero, step by step, and gives no state out.

    The outputs are those of `Backbone.step`. Since nobody takes a state away and nothing is kept for
    a backward pass, a layer may keep what costs less over few steps (`Backbone.run_stepper`).

    Args:
        backbone: the layer.
        batch: rows.
        time: steps, at most.

    Raises:
        UserError: for sizes below 1.

    Example:
        >>> import torch
        >>> from fastweights.nn import FastWeightRNN
        >>> with torch.inference_mode():
        ...     step = FastWeightRNN(8, 16).stepper(batch=4, time=11)
        ...     y = step(torch.randn(4, 8))
        >>> y.shape
        torch.Size([4, 16])
    """

    def __init__(self, backbone: Backbone, batch: int, time: int) -> None:
        checks.check_sizes(batch=batch, time=time)
        self.backbone, self.batch, self.time, self._done = backbone, batch, time, 0
        self._run = backbone.run_stepper(batch, time)
        self._state: Any = None

    def __call__(
        self, x: Float[Tensor, "batch input"] | Integer[Tensor, " batch"]
    ) -> Float[Tensor, "batch output"]:
        """Run one step; to be called under `torch.no_grad` or in inference mode.

        Raises:
            UserError: for an input of another size, dtype or device than the layer takes, of other
                rows than the stepper is for, or more steps.
        """
        if x.shape[:1] != (self.batch,):
            raise UserError(
                f"input has shape {list(x.shape)}; the stepper is for {self.batch} rows"
            )
        if self._done == self.time:
            raise UserError(f"the stepper is for {self.time} steps, and this would be one more")
        self._done += 1
        if self._run is None:
            y, self._state = self.backbone.step(x, self._state)
            return y
        checks.check_input(self.backbone, x, "batch")
        checks.check_classes(self.backbone, x)
        return self.backbone.settle(self._run(x), None)[0]
