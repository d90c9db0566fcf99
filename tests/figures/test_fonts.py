"""Letters that the house's font lacks: another installed font has them, or one note says that none does."""

import warnings

import pytest

from fastweights.errors import Note
from fastweights.figures import fonts, save, slot_accuracy
from fastweights.figures.page import drawable

ELSEWHERE = "\u2312"
"""An arc, which of matplotlib's own fonts DejaVu Sans Mono has, and DejaVu Sans has not."""


@pytest.fixture
def only_the_house(monkeypatch):
    house = fonts._fonts()[fonts.DEFAULT]
    monkeypatch.setattr(fonts, "_fonts", lambda: {fonts.DEFAULT: house})
    fonts._note.cache_clear()
    yield
    fonts._note.cache_clear()


def test_a_letter_of_another_font_is_drawn_with_it(tmp_path):
    family = fonts.family_of(ELSEWHERE)
    assert family not in (None, fonts.DEFAULT)
    assert fonts.families(f"a{ELSEWHERE}b") == [fonts.DEFAULT, family]
    assert drawable(f"a{ELSEWHERE}") == f"a{ELSEWHERE}"
    figure = slot_accuracy([0.5, 1.0], title=f"a {ELSEWHERE}")
    save(figure, tmp_path / "slots.png", dpi=50)  # with warnings as errors
    assert any(
        text.get_fontfamily() == [fonts.DEFAULT, family] for text in figure.axes[0].texts
    ) or (figure.axes[0].title.get_fontfamily() == [fonts.DEFAULT, family])


def test_what_no_font_has_is_a_box_and_noted_once(only_the_house, tmp_path):
    assert fonts.family_of("戦") is None and drawable("戦a") == "▯a"
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for name in ("a.png", "b.svg"):
            save(slot_accuracy([0.5, 1.0], title="戦場"), tmp_path / name, dpi=50)
    assert [(warning.category, str(warning.message)) for warning in heard] == [(Note, fonts.NOTE)]
    assert (tmp_path / "b.svg").exists()


def test_other_warnings_are_passed_on(tmp_path):
    with (
        pytest.warns(RuntimeWarning, match="of another kind"),
        fonts.dressed(slot_accuracy([0.5, 1.0])),
    ):
        warnings.simplefilter("always")
        warnings.warn("of another kind", RuntimeWarning, stacklevel=1)
