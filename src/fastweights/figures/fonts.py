"""Fonts for letters that the default font lacks, as far as an installed one has them."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text

from fastweights.errors import Note

DEFAULT = "DejaVu Sans"
"""Comes with matplotlib, so that a figure is the same wherever it is drawn."""

BOX = "▯"
"""Stands for a letter without a picture."""

NOTE = f"{BOX} stands for letters that no installed font has; install one that has, such as Noto Sans CJK"

_MISSING = re.compile(r"Glyph \d+ .* missing from")
_REGULAR = 400


def families(text: str) -> list[str]:
    """Return the fonts that a text needs, in the order in which they are searched for a letter.

    Example:
        >>> families("naïve")
        ['DejaVu Sans']
    """
    needed = (family_of(letter) for letter in text if letter.isprintable())
    return list(dict.fromkeys((DEFAULT, *(family for family in needed if family))))


def family_of(letter: str) -> str | None:
    """Return a font that has a letter, the default before all others; None where no font has it."""
    code = ord(letter)
    return next((name for name, path in _fonts().items() if code in _codes(path)), None)


@contextmanager
def dressed(figure: Figure) -> Iterator[None]:
    """Set the fonts that a figure's texts need, and warn once of letters that none has.

    Warns:
        Note: if a letter is shown as a box.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    for text in texts:
        needed = families(text.get_text())
        if len(needed) > 1:
            text.set_fontfamily(needed)
    with warnings.catch_warnings(record=True) as heard:
        warnings.filterwarnings("always", _MISSING.pattern)
        yield
    for warning in heard:
        if not _MISSING.match(str(warning.message)):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    boxes = any(BOX in text.get_text() for text in texts)
    if boxes or any(_MISSING.match(str(warning.message)) for warning in heard):
        _note()


@functools.cache
def _note() -> None:
    """Warn once, however many pictures are drawn."""
    warnings.warn(NOTE, Note, stacklevel=1)


@functools.cache
def _fonts() -> dict[str, str]:
    """The upright fonts of regular weight by name, the default first, then those for the most scripts."""
    found = {
        entry.name: str(entry.fname)
        for entry in fontManager.ttflist
        if entry.style == "normal"
        and entry.weight in (_REGULAR, "normal", "regular")
        and not entry.name.startswith("Last Resort")  # has a box for everything
    }
    order = sorted(found, key=lambda name: (name != DEFAULT, "CJK" not in name, name))
    return {name: found[name] for name in order}


@functools.cache
def _codes(path: str) -> frozenset[int]:
    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):  # damaged, or removed since matplotlib listed it
        return frozenset()
