"""An animated picture of a memory at work: A and h, symbol by symbol, up to the answer."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from fastweights.errors import UserError, unknown
from fastweights.figures import inside, scales, style
from fastweights.figures.files import write
from fastweights.nn.backbone import Trace

SECONDS_A_STEP, SECONDS_AT_THE_END = 0.6, 2.4


@style.styled
def animate(
    trace: Trace,
    symbols: str,
    path: str | os.PathLike[str],
    *,
    answer: str | None = None,
    row: int = 0,
    dpi: int = 110,
) -> Path:
    """Write a GIF that loops for ever: the symbol read, the fast weights A(t), the hidden state h(t), the attention.

    Args:
        trace: of a backbone with a fast memory, its memory kept at every step.
        symbols: the sequence, one symbol a step.
        path: where to, ending in .gif; a file there is replaced in one move.
        answer: shown with the last step, such as "9 (99.8 %)".
        row: of the batch.
        dpi: dots per inch of the 6 × 3 inches.

    Returns:
        the path.

    Raises:
        UserError: if the trace lacks the memory at some step, symbols or row do not fit it, or the file cannot be
            written.

    Example:
        >>> import tempfile, torch
        >>> from fastweights import FastWeightRNN
        >>> trace = FastWeightRNN(3, 8).trace(torch.eye(3)[None])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     animate(trace, "a1?", f"{folder}/memory.gif", answer="1", dpi=40).name
        'memory.gif'
    """
    stage = _MemoryStage(trace, symbols, row, answer, dpi)
    return write_animation([stage.picture(step) for step in range(len(symbols))], stage.maps, path)


def write_animation(
    pictures: list[Image.Image], maps: set[str], path: str | os.PathLike[str]
) -> Path:
    """Write pictures as a GIF that loops for ever and rests at the end.

    Args:
        pictures: of one size.
        maps: names of the colour maps in them.
        path: ending in .gif.

    Raises:
        UserError: for another ending, or if the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".gif":
        raise unknown("kind of animation", target.suffix.removeprefix(".") or target.name, ["gif"])
    # One palette for all: colours do not flicker, and unchanged parts cost nothing.
    palette = _palette(maps)
    reduced = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    # Long sequences go faster.
    each = SECONDS_A_STEP * min(1.0, 20 / len(pictures))
    milliseconds = [round(1000 * s) for s in [each] * (len(pictures) - 1) + [SECONDS_AT_THE_END]]
    content = io.BytesIO()
    reduced[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=reduced[1:],
        duration=milliseconds,
        loop=0,
        optimize=True,
    )
    return write(target, content.getvalue())


class Stage:
    """A figure (inches) drawn once, whose contents change from step to step."""

    maps: set[str]  # names of its colour maps

    def __init__(self, width: float, height: float, dpi: int) -> None:
        self.figure = style.figure(width, height)
        self.figure.set_dpi(dpi)
        self.canvas = FigureCanvasAgg(self.figure)

    def rendered(self) -> Image.Image:
        """Return the figure as it is now."""
        self.canvas.draw()
        # Laid out once: later steps must not make the panels jump.
        self.figure.set_layout_engine("none")
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")


class _MemoryStage(Stage):
    """A sequence's symbols over the memory and the hidden state."""

    def __init__(self, trace: Trace, symbols: str, row: int, answer: str | None, dpi: int) -> None:
        super().__init__(6.0, 3.1, dpi)
        inside.check(trace, symbols, row)
        self.memory = inside.memory(trace, row)
        if trace.memory_steps != tuple(range(len(symbols))):
            raise UserError(
                "an animation needs the memory of every step: trace with memory_steps=None"
            )
        self.hidden = inside.hidden(trace, row)
        self.attention = None
        if trace.read_weights is not None:
            weights = np.abs(inside.read_weights(trace, row, -1))
            self.attention = weights / (weights.max() or 1.0)
        self.symbols, self.answer = symbols, answer
        mosaic = self.figure.subplot_mosaic(
            [["sequence", "sequence"], ["memory", "hidden"]],
            height_ratios=(1, 2.8),
            width_ratios=(1, 1.25),
        )
        self._build_sequence(mosaic["sequence"])
        self._build_heat_maps(mosaic["memory"], mosaic["hidden"])
        self.maps = {image.get_cmap().name for image in (self.matrix, self.columns)}
        self.rendered()

    def _build_sequence(self, axes: Axes) -> None:
        steps = len(self.symbols)
        self.texts = [
            axes.text(place, -0.1, symbol, ha="center", va="top", fontsize=13 if steps <= 30 else 7)
            for place, symbol in enumerate(self.symbols)
        ]
        self.bars = axes.bar(range(steps), [0.0] * steps, width=0.6, color=style.BLUE)
        self.reply = axes.set_title("", loc="right", fontsize=11, color=style.VERMILLION)
        axes.set(xlim=(-0.7, steps - 0.3), ylim=(-0.75, 1.05))
        axes.set_axis_off()
        name = "" if self.attention is None else "what this step reads (relative read weight)"
        axes.set_title(name, loc="left", fontsize=8, color=style.BLUE)

    def _build_heat_maps(self, memory: Axes, hidden: Axes) -> None:
        scale, last = self.memory, self.memory[-1]
        self.matrix = style.heat_map(memory, last, scale=scale, percentile=style.MAGNITUDES)
        memory.set(
            title="fast weights A(t)", xlabel="hidden unit read, j", ylabel="unit written, i"
        )
        self.columns = style.heat_map(hidden, self.hidden.T)
        hidden.set(
            title="hidden state h(t)", xlabel="symbol read at step t", ylabel="hidden unit i"
        )
        scales.symbols_below(hidden, self.symbols)

    def picture(self, step: int) -> Image.Image:
        """Draw one step."""
        for place, text in enumerate(self.texts):
            colour = style.BLACK if place < step else "#BBBBBB"
            text.set_color(style.VERMILLION if place == step else colour)
            text.set_fontweight("bold" if place == step else "normal")
        heights = np.zeros(len(self.symbols)) if self.attention is None else self.attention[step]
        for bar, height in zip(self.bars, heights, strict=True):
            bar.set_height(height)
        last = step == len(self.symbols) - 1
        self.reply.set_text(f"→ {self.answer}" if last and self.answer is not None else "")
        self.matrix.set_data(self.memory[step])
        self.columns.set_data(up_to(self.hidden, step).T)
        return self.rendered()


def up_to(hidden: Float[np.ndarray, "time hidden"], step: int) -> np.ma.MaskedArray:
    """Leave blank what has not happened yet."""
    later = np.arange(len(hidden))[:, None] > step
    return np.ma.masked_array(hidden, np.broadcast_to(later, hidden.shape))


def _palette(maps: set[str]) -> Image.Image:
    """Hold the colours that are drawn: the colour maps, and tints of the text's and bars' colours down to white."""
    tints = np.linspace(0, 1, 13)[:, None]
    inks = [style.BLACK, style.BLUE, style.VERMILLION]
    chosen = [tints * np.array(to_rgb(ink)) + (1 - tints) for ink in inks]
    chosen += [colormaps[name](np.linspace(0, 1, 64))[:, :3] for name in sorted(maps)]
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * np.concatenate(chosen)).round().astype(np.uint8).tobytes())
    return palette
