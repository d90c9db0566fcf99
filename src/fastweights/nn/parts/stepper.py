"""A sequence whose inputs come one by one: an episode, in which outputs decide what comes next."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Integer
from torch import Tensor

from fastweights.errors import UserError
from fastweights.nn.parts.checks import check_sizes, check_tensor

StepInput = Float[Tensor, "batch input"] | Integer[Tensor, " batch"]


class Stepper:
    """Runs a backbone over one sequence from zero, step by step, and returns no state.

    The outputs are those of `Backbone.step`. Since nobody takes a state away and nothing is kept for
    a backward pass, a layer may keep what costs less over few steps (`Backbone.run_stepper`).

    Args:
        run: one time step of the backbone, which carries the state itself.
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

    def __init__(self, run: Callable[[StepInput], Tensor], batch: int, time: int) -> None:
        check_sizes(batch=batch, time=time)
        self.batch, self.time, self.done = batch, time, 0
        self._run = run

    def __call__(self, x: StepInput) -> Float[Tensor, "batch output"]:
        """Run one step; to be called under `torch.no_grad` or in inference mode.

        Raises:
            UserError: for an input of another size, dtype or device than the layer takes, of other
                rows than the stepper is for, or more steps.
        """
        check_tensor("the stepper", "input", x)
        if x.shape[:1] != (self.batch,):
            raise UserError(
                f"input has shape {list(x.shape)}; the stepper is for {self.batch} rows"
            )
        if self.done == self.time:
            raise UserError(f"the stepper is for {self.time} steps, and this would be one more")
        self.done += 1
        return self._run(x)
