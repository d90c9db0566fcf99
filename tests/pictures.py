"""Whether a picture on disk shows data: those are drawn in colours, while axes, grids and letters are grey."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

APART = 48
"""By how much the channels of a colour differ at least, of 255; those of the style's greys by at most 16."""
SHARE = 1e-3
"""Least share of the pixels of a picture in such colours."""


def is_colour(channels: np.ndarray) -> np.ndarray:
    """Return which of [..., 3] channels are no grey."""
    return np.ptp(channels.astype(int), -1) >= APART


def assert_drawn(path: Path) -> None:
    """Check that a picture can be read whole and shows data; of grey data alone it cannot tell."""
    if path.suffix == ".svg":
        codes = re.findall(r"(?:fill|stroke): #([0-9a-f]{6})", path.read_text())
        assert any(is_colour(np.frombuffer(bytes.fromhex(code), np.uint8)) for code in codes)
        return
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert is_colour(pixels).mean() >= SHARE, path.name
