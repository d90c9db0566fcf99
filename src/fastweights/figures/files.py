"""Figures on disk: whole or not at all, and the same bytes for the same picture."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fastweights.errors import unknown
from fastweights.figures.fonts import dressed
from fastweights.figures.style import styled
from fastweights.io.atomic import no_folders_left, oserror_as_user_error, write_atomically

# Dates would make every copy of a figure differ.
_DATELESS: dict[str, dict[str, None] | None] = {
    "png": None,
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}


@styled
def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 300) -> Path:
    """Write a figure as png, pdf or svg, by the ending of its name.

    Args:
        figure: as the functions of this room return it.
        path: where to; folders are made as needed. A file there is replaced in one move.
        dpi: dots per inch of a png, and of images inside a pdf or svg.

    Returns:
        the path.

    Raises:
        UserError: for another ending, or if the file cannot be written.

    Warns:
        Note: if no installed font has a letter, which is then a box.

    Example:
        >>> from fastweights.figures import save, slot_accuracy
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(slot_accuracy([0.9, 1.0]), f"{folder}/slots.svg").name
        'slots.svg'
    """
    target = Path(path)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in _DATELESS:
        raise unknown("kind of picture", kind or target.name, _DATELESS)
    if figure.canvas is None or not isinstance(figure.canvas, FigureCanvasAgg):
        FigureCanvasAgg(figure)
    content = io.BytesIO()
    with dressed(figure):
        figure.savefig(content, format=kind, dpi=dpi, metadata=_DATELESS[kind])
    return write(target, content.getvalue())


def write(target: Path, content: bytes) -> Path:
    """Write a file in one step, and the folders that it needs.

    Raises:
        UserError: if it cannot be written; nothing half-written stays.
    """
    with no_folders_left(target):
        with oserror_as_user_error("write", target):
            target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    return target
