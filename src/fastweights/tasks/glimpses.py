"""MNIST as a sequence of 24 small glimpses at two scales; the answer is the digit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from fastweights.data import mnist
from fastweights.errors import UserError, check_choice
from fastweights.tasks.score import classification_metrics

SIDE, PATCH = 28, 7
"""Pixels of an image's side, and of a glimpse's."""
STEPS = 24
READINGS = ("plain", "hierarchical")


class Examples(NamedTuple):
    """Images with their digits.

    Attributes:
        images: [count, 28, 28], 0 (paper) to 255 (ink).
        answer: [count], 0 to 9.
    """

    images: UInt8[Tensor, "count 28 28"]
    answer: Int[Tensor, " count"]


class Glimpse(NamedTuple):
    """Where a glimpse looks: the top left pixel of its window and the window's side.

    A window of 7 pixels is seen as it is, one of 14 as the means of 2 × 2 pixels, so a glimpse is always 7 × 7.
    """

    top: int
    left: int
    side: int


def path(reading: str) -> tuple[Glimpse | None, ...]:
    """Return the 24 glimpses of a reading in their order; None is a blank one.

    Raises:
        UserError: for an unknown reading.

    Example:
        >>> path("hierarchical")[1:3]
        (Glimpse(top=0, left=0, side=7), Glimpse(top=0, left=7, side=7))
    """
    check_choice("reading", reading, READINGS)
    coarse = _grid(0, 0, 2 * PATCH, 2)
    if reading == "plain":
        fine = _grid(0, 0, PATCH, 4)
        rows = [(*fine[start : start + 4], None) for start in range(0, 16, 4)]
        return *(glimpse for row in rows for glimpse in row), *coarse
    regions = [(view, *_grid(view.top, view.left, PATCH, 2), None) for view in coarse]
    return tuple(glimpse for region in regions for glimpse in region)


class Glimpses:
    """A digit of MNIST, seen as 24 glimpses of 7 × 7 pixels at two scales in a fixed order.

    Both readings hold the same glimpses: the 16 fine ones that tile the image, the four quadrants at half the
    resolution, and four blanks.

    - "plain": the fine ones row by row, a blank behind each row, then the quadrants; beside its pixels a glimpse has
      its position, as a one-hot vector of the step.
    - "hierarchical": for each quadrant the coarse view, then its four fine ones, an excursion after which what the
      coarse view left must be recalled, then a blank. There is no position.

    Args:
        data_dir: where MNIST is, as `data.mnist.find` takes it.
        reading: "plain" or "hierarchical".

    Attributes:
        steps: 24.
        features: numbers of a glimpse: 49 pixels from 0 to 1, and 24 of the position in the plain reading.
        classes: 10 digits.
        path: the `Glimpse` of each step; None where it is blank.

    Raises:
        UserError: for an unknown reading, or if MNIST is not there or damaged.

    Source: Ba et al. 2016, section 4.2, which leaves order, scales and positions open; these readings are ours. The
    last twelfth of the 60,000 training images is the validation split.

    Example:
        >>> len(path("plain")) == Glimpses.steps
        True
    """

    steps = STEPS
    classes = 10

    def __init__(self, data_dir: str | Path | None = None, *, reading: str = "plain") -> None:
        self.path = path(reading)
        self.reading = reading
        self.features = features(reading)
        # Fine glimpses come first below, then the coarse ones, then a blank.
        known = [*_grid(0, 0, PATCH, 4), *_grid(0, 0, 2 * PATCH, 2), None]
        self._order = torch.tensor([known.index(glimpse) for glimpse in self.path], device="cpu")
        found = mnist.read(mnist.find(data_dir))
        train = len(found.train_labels) - len(found.train_labels) // 12
        with torch.device("cpu"):
            images, labels = torch.tensor(found.train_images), torch.tensor(found.train_labels)
            tested = torch.tensor(found.test_images), torch.tensor(found.test_labels)
        labels = labels.long()
        self._splits = {
            "train": Examples(images[:train], labels[:train]),
            "valid": Examples(images[train:], labels[train:]),
            "test": Examples(tested[0], tested[1].long()),
        }

    def __repr__(self) -> str:
        return f"Glimpses(reading={self.reading!r})"

    def split(self, name: str) -> Examples:
        """Return the images of "train", "valid" or "test".

        Raises:
            UserError: for another name.
        """
        check_choice("split", name, self._splits)
        return self._splits[name]

    def inputs(self, examples: Examples) -> Float[Tensor, "count 24 features"]:
        """Return the glimpses of all images, on whatever device they are."""
        pixels = examples.images.float() / 255
        fine = _tiles(pixels)
        coarse = _tiles(F.avg_pool2d(pixels[:, None], 2)[:, 0])
        seen = torch.cat((fine, coarse, torch.zeros_like(fine[:, :1])), 1)
        glimpses = seen.index_select(1, self._order.to(seen.device))
        if self.reading == "hierarchical":
            return glimpses
        position = torch.eye(STEPS, device=seen.device, dtype=seen.dtype).expand(len(seen), -1, -1)
        return torch.cat((glimpses, position), 2)

    def metrics(
        self, logits: Float[Tensor, "count classes"], examples: Examples
    ) -> dict[str, float | list[float]]:
        """Score logits, in the order of the examples.

        Returns:
            `accuracy`, 0 to 1; `cross_entropy` in nats; `per_digit_accuracy` (0 for a digit that does not occur).

        Raises:
            UserError: if there are no images, or the logits are not theirs.
        """
        digits, counts = examples.answer, {"classes": self.classes, "groups": self.classes}
        return classification_metrics(logits, digits, "digit", digits, kind="images", **counts)

    def confusion(
        self, logits: Float[Tensor, "count classes"], examples: Examples
    ) -> Int[Tensor, "truth answer"]:
        """Count how often each digit was taken for each."""
        pairs = self.classes * examples.answer + logits.argmax(1)
        return torch.bincount(pairs, minlength=self.classes**2).view(self.classes, self.classes)

    def encode(self, number: str) -> Examples:
        """Return the test image of a typed number, counted from 0.

        Raises:
            UserError: if there is none.
        """
        test = self._splits["test"]
        count = len(test.answer)
        # So many digits that no int is made of them are no number of an image either.
        digits = number.strip().lstrip("0")[: len(str(count)) + 1]
        place = int(digits or "0") if number.strip().isdecimal() else count
        if place >= count:
            given = number if len(number) < 40 else f"{number[:40]}…"
            raise UserError(f"test images are numbered 0 to {count - 1}, not {given!r}")
        return Examples(test.images[place : place + 1], test.answer[place : place + 1])


def features(reading: str) -> int:
    """Count the numbers of a glimpse of a reading, which needs no data.

    Example:
        >>> features("plain"), features("hierarchical")
        (73, 49)
    """
    return PATCH**2 + (STEPS if reading == "plain" else 0)


def cells(reading: str) -> tuple[int | None, ...]:
    """Return which of the 4 × 4 fine patches, row by row, each glimpse of a reading is; None for the others.

    Example:
        >>> cells("hierarchical")[:6]
        (None, 0, 1, 4, 5, None)
    """
    fine = _grid(0, 0, PATCH, SIDE // PATCH)
    return tuple(fine.index(g) if g and g in fine else None for g in path(reading))


def _grid(top: int, left: int, side: int, count: int) -> list[Glimpse]:
    """List count × count windows side by side, row by row."""
    return [
        Glimpse(top + row * side, left + column * side, side)
        for row in range(count)
        for column in range(count)
    ]


def _tiles(pixels: Float[Tensor, "count side side"]) -> Float[Tensor, "count tiles pixels"]:
    """Cut images into patches, row by row."""
    cut = pixels.unflatten(2, (-1, PATCH)).unflatten(1, (-1, PATCH))
    return cut.transpose(2, 3).flatten(3).flatten(1, 2)
