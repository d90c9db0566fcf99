"""In-context regression: a linear function is shown by points of it, and asked for at the next one."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.errors import UserError
from fastweights.tasks.checks import check_int, describe_value, is_finite
from fastweights.tasks.sequences import Sequences, SequenceTask

MAX_FEATURES = 10_000
"""Numbers of an x."""


class InContextRegression(SequenceTask):
    """`x y x y x → y`: points of a linear function of its own in each sequence; y is to be said before it is shown.

    y = ⟨w, x⟩ + noise, with x from N(0, I) and w from N(0, I / d) for each sequence, so that y has the variance 1 +
    noise². A point takes two steps: x with a 0 behind it, at which y is asked for, and zeros with y behind them. No y
    follows the last x.

    The answer with the least expected error is that of ridge regression on the points before (`ridge`).

    Args:
        points: in a sequence, at least 1.
        dimensions: d, numbers of an x, at least 1.
        noise: standard deviation of the noise, ≥ 0.

    Attributes:
        features: d + 1 numbers of a step.
        chance: the squared error of always answering 0.
        best_possible: noise², from which no answer can be far less; `ridge` has what can be reached so soon.

    Raises:
        UserError: for numbers out of range.

    Source: Garg, Tsipras, Liang & Valiant, "What Can Transformers Learn In-Context?", NeurIPS 2022.

    Example:
        >>> task = InContextRegression(points=12, dimensions=4, noise=0.0)
        >>> batch = task.sample(256, torch.Generator().manual_seed(0))
        >>> batch.tokens.shape, int(batch.asked.sum(1)[0])
        (torch.Size([256, 23, 5]), 12)
        >>> errors = (task.ridge(batch) - batch.answer[:, ::2]).square().mean(0)
        >>> bool(errors[0] > 0.5), bool(errors[-1] < 1e-6)   # before the first point, and once there are enough
        (True, True)
    """

    measure: ClassVar[Literal["accuracy", "squared_error"]] = "squared_error"
    vocabulary = 0
    classes = 1

    def __init__(self, points: int = 16, *, dimensions: int = 4, noise: float = 0.1) -> None:
        check_int("points", points, 1)
        check_int("dimensions", dimensions, 1, MAX_FEATURES)
        if not is_finite(noise) or noise < 0:
            raise UserError(f"noise must be finite and not negative: not {describe_value(noise)}")
        self.points, self.dimensions, self.noise = points, dimensions, float(noise)
        self.length, self.features = 2 * points - 1, dimensions + 1
        self.best_possible = self.noise**2

    def __repr__(self) -> str:
        return f"InContextRegression({self.points}, dimensions={self.dimensions}, noise={self.noise:g})"

    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        check_int("the number of sequences", count, 0)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device)

        weights = normal(count, self.dimensions, 1) / self.dimensions**0.5
        x = normal(count, self.points, self.dimensions)
        y = (x @ weights)[:, :, 0] + self.noise * normal(count, self.points)
        tokens = x.new_zeros(count, self.length, self.dimensions + 1)
        tokens[:, ::2, :-1], tokens[:, 1::2, -1] = x, y[:, :-1]
        answer = x.new_zeros(count, self.length)
        answer[:, ::2] = y
        asked = torch.zeros(count, self.length, dtype=torch.bool, device=generator.device)
        asked[:, ::2] = True
        return Sequences(tokens, answer, asked)

    def ridge(self, batch: Sequences) -> Float[Tensor, "count points"]:
        """Compute the answers of ridge regression on the points before each, the mean of y given all that was shown.

            w = (Xᵀ X + d noise² I)⁻¹ Xᵀ y

        Without noise it is the least of all w that fit. In float64.
        """
        x, y = batch.tokens[:, ::2, :-1].double(), batch.answer[:, ::2].double()
        identity = torch.eye(self.dimensions, dtype=x.dtype, device=x.device)
        answers = [torch.zeros_like(y[:, 0])]
        for seen in range(1, x.shape[1]):
            known, target = x[:, :seen], y[:, :seen, None]
            if self.noise:
                penalty = self.dimensions * self.noise**2 * identity
                normal = known.mT @ known + penalty
                weights = torch.linalg.solve(normal, known.mT @ target)
            else:
                weights = torch.linalg.pinv(known) @ target
            answers.append((x[:, seen, None] @ weights)[:, 0, 0])
        return torch.stack(answers, 1)

    @property
    def chance(self) -> float:
        return 1 + self.noise**2

    def losses(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, " answers"]:
        return (self._answers(outputs, batch)[:, 0] - self._right(batch)).square()

    def scores(
        self, outputs: Float[Tensor, "asked classes"], batch: Sequences
    ) -> Float[Tensor, " answers"]:
        return self.losses(outputs, batch).double()
