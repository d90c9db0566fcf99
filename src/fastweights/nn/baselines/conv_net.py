"""A convolutional network over a picture that arrives in patches, one a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Unpack

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.nn.backbone import Backbone, Input, Mask
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.constants import Constants
from fastweights.nn.parts.construction import Placement
from fastweights.ops import padding
from fastweights.ops.tracing import recorded


class ConvNetState(NamedTuple):
    """picture [batch, cells, pixels] is what has been seen so far, 0 elsewhere; steps [batch] counts the steps."""

    picture: Float[Tensor, "batch cells pixels"]
    steps: Int[Tensor, " batch"]


class ConvNet(Constants, Backbone[ConvNetState]):
    """Two convolutions, each with ReLU and a maximum over 2 × 2 pixels, then a ReLU layer of the features.

    The picture is put together from the steps that show a patch of it; a step's features are those of the picture as
    far as it is there. So after the last patch the network sees what a recurrent one has seen, all at once. What is
    not read (`read_mask`) is not computed.

    Args:
        input_size: features of x, of which the first patch² are pixels.
        hidden_size: features of the output.
        cells: for each step of a sequence the cell of the picture that it shows, counted row by row; None for a step
            that shows none. The cells are those of a square grid, each shown once. Later steps show none.
        patch: pixels of a cell's side.
        channels: of the two convolutions.
        kernel: pixels of a convolution's side, odd.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Raises:
        UserError: for sizes below 1, an even kernel, or cells that are not those of a square grid.

    Example:
        >>> layer = ConvNet(4, 8, cells=(0, 1, None, 2, 3), patch=2)
        >>> y, state = layer(torch.randn(6, 5, 4))
        >>> y.shape, state.picture.shape
        (torch.Size([6, 5, 8]), torch.Size([6, 4, 4]))
    """

    state_type = ConvNetState
    counters = ("steps",)
    copied = ("picture",)
    reads_outside = True
    arrival: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cells: Sequence[int | None] = (),
        patch: int = 7,
        channels: Sequence[int] = (16, 32),
        kernel: int = 5,
        **options: Unpack[Placement],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, patch=patch, kernel=kernel)
        if not cells:
            raise UserError(
                "a convnet sees pictures that glimpses tile: it is for the task glimpses alone"
            )
        if len(channels) != 2 or kernel % 2 == 0:
            raise UserError(
                f"ConvNet has two convolutions of an odd kernel, not {channels}, {kernel}"
            )
        check_sizes(**{f"channel {place}": count for place, count in enumerate(channels)})
        shown = {cell: step for step, cell in enumerate(cells) if cell is not None}
        self.grid = math.isqrt(len(shown))
        once = len(shown) == sum(cell is not None for cell in cells)
        if not once or sorted(shown) != list(range(self.grid**2)):
            raise UserError("the cells that steps show must be those of a square grid, each once")
        side = self.grid * patch
        if patch**2 > input_size or side < 4:
            raise UserError(
                f"a picture of {side} × {side} pixels, {patch**2} a step, is none for {input_size} features"
            )
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.patch = patch
        self.arrives = [shown[cell] for cell in range(self.grid**2)]
        self.register_buffer("arrival", torch.tensor(self.arrives), persistent=False)
        first, second = channels
        self.features = nn.Sequential(
            nn.Conv2d(1, first, kernel, padding=kernel // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, kernel, padding=kernel // 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(second * (side // 4) ** 2, hidden_size),
            nn.ReLU(),
        )

    def fill(self, device: torch.device | None = None) -> None:
        self.arrival = torch.tensor(self.arrives, device=device or self.arrival.device)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.grid**2, self.patch**2), ()

    def run(
        self, x: Input, state: ConvNetState | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], ConvNetState]:
        before = self.initial_state(x.shape[0]) if state is None else state
        real = x.new_ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
        length, begin = padding.lengths_and_shift(real)
        # The step of x at which each cell arrives, where it does: real steps follow each other.
        done = before.steps[:, None]
        at = self.arrival - done + begin[:, None]
        here = (self.arrival >= done) & (self.arrival < done + length[:, None])
        pixels = x[:, :, : self.patch**2]
        steps = at.clamp(0, x.shape[1] - 1)[:, :, None]
        patches = pixels.gather(1, steps.expand(-1, -1, pixels.shape[2]))
        wanted = real if read_mask is None else real & read_mask
        rows, times = _all_steps(wanted) if recorded() else wanted.nonzero(as_tuple=True)
        seen = here[rows] & (at[rows] <= times[:, None])
        found = self.features(
            self._joined(torch.where(seen[:, :, None], patches[rows], before.picture[rows]))
        )
        y = found.new_zeros(*x.shape[:2], self.hidden_size).index_put((rows, times), found)
        if recorded():
            y = y.masked_fill(~wanted[:, :, None], 0)
        picture = torch.where(here[:, :, None], patches, before.picture)
        return y, ConvNetState(picture, before.steps + length)

    def _joined(
        self, patches: Float[Tensor, "count cells pixels"]
    ) -> Float[Tensor, "count 1 side side"]:
        """Assemble pictures from their cells."""
        cells = patches.unflatten(2, (self.patch, self.patch)).unflatten(1, (self.grid, self.grid))
        return cells.transpose(2, 3).flatten(3).flatten(1, 2)[:, None]

    def extra_repr(self) -> str:
        side = self.grid * self.patch
        return f"{self.input_size}, {self.hidden_size}, picture={side}×{side}, patch={self.patch}"


def _all_steps(
    like: Bool[Tensor, "batch time"],
) -> tuple[Int[Tensor, " steps"], Int[Tensor, " steps"]]:
    """Return the row and the time of every step: a graph has no such number of steps as a mask marks."""
    batch, time = like.shape
    places = torch.arange(batch * time, device=like.device)
    return places // time, places % time
