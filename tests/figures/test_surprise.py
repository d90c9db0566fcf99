"""Surprise word by word: every number in its cell, words that models differ on marked, reads where they took from."""

import itertools

import numpy as np
import pytest
import torch
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from fastweights import figures
from fastweights.errors import UserError
from fastweights.figures import fonts

STORY = "<eos> the phillips company said it would sell <eos> the phillips board met ."
TEXT = STORY.split()
NAN = float("nan")


def made(seed=0):
    """Surprises of one model; nothing is predicted of the first word."""
    generator = torch.Generator().manual_seed(seed)
    return [NAN, *(12 * torch.rand(len(TEXT) - 1, generator=generator)).tolist()]


def grids(figure):
    return [c for c in figure.axes[0].collections if isinstance(c, PatchCollection)]


def boxes(grid):
    return [path.get_extents().extents for path in grid.get_paths()]


def written(figure, words=TEXT):
    """The words, and what else stands on the page: numbers in cells."""
    texts = [text.get_text() for text in figure.axes[0].texts]
    return texts[: len(words)], texts[len(words) :]


def test_two_models_and_their_difference():
    first, second = made(), made(seed=1)
    second[10] = first[10] - 6.25
    figure = figures.surprise({"awd-lstm": first, "awd-fwm": second}, TEXT)
    models, difference = grids(figure)
    np.testing.assert_allclose(models.get_array(), np.stack([first, second]).T[1:].ravel())
    apart = np.subtract(second, first)[1:]
    np.testing.assert_allclose(difference.get_array(), apart)
    low, high = difference.get_clim()
    assert low == -high and high >= 4 and models.get_clim()[0] == 0
    words, numbers = written(figure)
    assert words == TEXT and "−6.2" in numbers
    bold = [text.get_weight() == "bold" for text in figure.axes[0].texts[: len(TEXT)]]
    assert bold == [False, *(abs(apart) >= 2)] and bold[10]
    heading = figure.axes[0].get_title(loc="left")
    bits = [np.mean(row[1:]) for row in (first, second)]
    assert heading == "; ".join(
        f"{name}: {mean:.2f} bits a word, perplexity {2**mean:.1f}"
        for name, mean in zip(("awd-lstm", "awd-fwm"), bits, strict=True)
    )
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:3] == ["awd-lstm", "awd-fwm", "difference"]
    assert "awd-fwm less awd-lstm" in figure.axes[2].get_xlabel()


def test_every_number_has_room():
    words = ["a", "."] * 9
    figure = figures.surprise({"a": [30.5] * 18, "b": [1.0, 30.0] * 9}, words)
    figure.draw_without_rendering()
    numbers = figure.axes[0].texts[18:]
    assert [text.get_text() for text in numbers[:3]] == ["30.5", "1.0", "−29.5"]
    marked = boxes(grids(figure)[1])[::2]
    place = figure.axes[0].transData.transform
    for text, (left, _, right, _) in zip(numbers, np.repeat(marked, 3, 0), strict=True):
        span = text.get_window_extent()
        assert place((left, 0))[0] <= span.x0 and span.x1 <= place((right, 0))[0]


def test_where_models_hardly_differ_nothing_is_marked_and_the_colours_are_pale():
    figure = figures.surprise({"a": made(), "b": [value + 0.1 for value in made()]}, TEXT)
    assert written(figure)[1] == []
    difference = grids(figure)[1]
    assert abs(np.subtract(difference.to_rgba(0.1), difference.to_rgba(0.0)).max()) < 0.1


@pytest.mark.parametrize("count", [1, 40, 200])
def test_lines_leave_room_for_the_names_of_models(count):
    words = list(itertools.islice(itertools.cycle(TEXT), count))
    bits = [5.0] * count
    names = {"awd-lstm, memory size 32, seed 1": bits, "awd-fwm, memory size 32, seed 1": bits}
    figure = figures.surprise(names, words, title="a made text")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    spans = [text.get_window_extent() for text in axes.texts]
    assert len(spans) == count
    assert all(not left.overlaps(right) for left, right in itertools.pairwise(spans))
    names = [label.get_window_extent() for label in axes.get_yticklabels()]
    for span in (*spans, *names):
        assert figure.bbox.x0 <= span.x0 and span.x1 <= figure.bbox.x1
    assert max(right for _, _, right, _ in boxes(grids(figure)[0])) <= axes.get_xlim()[1]


def test_any_script_is_drawn_without_complaint(monkeypatch):
    house = fonts._fonts()[fonts.DEFAULT]
    monkeypatch.setattr(fonts, "_fonts", lambda: {fonts.DEFAULT: house})
    words = ["naïve", "戦場", "a\nb", "\x07", "", "$x$", "🦙"]
    figure = figures.surprise({"a": [1.0] * 7, "b": [9.0] * 7}, words)
    figure.draw_without_rendering()
    assert written(figure, words)[0] == ["naïve", "▯▯", "a↵b", "▯", "", "$x$", "▯"]


def test_one_model_and_what_was_read_before_a_word():
    bits, weights = made(), torch.randn(3, 10)
    figure = figures.passage(bits, TEXT, read_weights=weights, chosen=10, name="awd-fwm")
    surprise, reads = grids(figure)
    np.testing.assert_allclose(surprise.get_array(), bits[1:])
    shares = (weights / weights.abs().amax(1, keepdim=True)).double()
    np.testing.assert_allclose(reads.get_array(), shares.T.ravel(), rtol=1e-6)
    assert reads.get_clim() == (-1, 1)
    axes = figure.axes[0]
    bold = [text.get_text() for text in axes.texts[: len(TEXT)] if text.get_weight() == "bold"]
    assert bold == ["phillips"] and written(figure)[1] == [f"{bits[10]:.1f}"]
    (border,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    left, top, _, _ = boxes(surprise)[9]
    assert border.get_xy() == pytest.approx((left, top))
    # Each read's cells stand under the word that wrote, and none under the chosen word or later.
    words = [text.get_position()[0] for text in axes.texts[:10]]
    for place, middle in enumerate(words):
        for left, _, right, _ in boxes(reads)[3 * place : 3 * place + 3]:
            assert left < middle < right
    assert len(boxes(reads)) == 30


def test_lines_below_that_of_the_chosen_word_have_no_rows_for_reads():
    words = TEXT * 5
    figure = figures.passage(made() * 5, words, read_weights=torch.ones(2, 3), chosen=3)
    figure.draw_without_rendering()
    lines = len({text.get_position()[1] for text in figure.axes[0].texts[: len(words)]})
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert lines > 2 and labels == ["surprise", "read 1", "read 2"] + ["surprise"] * (lines - 1)
    tops = sorted({top for _, top, _, _ in boxes(grids(figure)[0])})
    assert tops[1] - tops[0] == pytest.approx(tops[2] - tops[1] + 2)


def test_pieces_of_words_are_called_so():
    heading = figures.passage([NAN, 2.0], ["a", "b"], unit="piece").axes[0].get_title(loc="left")
    assert heading == "2.00 bits a piece, perplexity 4.0"


def test_a_model_without_memory_has_one_row_and_one_scale():
    figure = figures.passage(made(), TEXT, name="awd-lstm", title="a made text")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["surprise"]
    assert len(figure.axes) == 2 and len(grids(figure)) == 1


def test_reads_that_are_all_zero():
    figure = figures.passage([1.0, 2.0], ["a", "b"], read_weights=torch.zeros(2, 1), chosen=1)
    assert not grids(figure)[1].get_array().any()


@pytest.mark.parametrize(
    ("bits", "words", "complaint"),
    [
        ({"a": [1.0]}, ["x"], "two models, not 1"),
        ({"a": [1.0], "b": [1.0, 2.0]}, ["x"], "2 surprises of 'b' do not go with 1 words"),
        ({"a": [], "b": []}, [], "'a' are not finite"),
        ({"a": [1.0], "b": [NAN]}, ["x"], "'b' are not finite"),
        ({"a": [1.0, np.inf], "b": [1.0, 2.0]}, ["x", "y"], "'a' are not finite"),
    ],
)
def test_comparisons_refused(bits, words, complaint):
    with pytest.raises(UserError, match=complaint):
        figures.surprise(bits, words)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"chosen": 0}, "one of 1 to 13, not 0"),
        ({"chosen": 14}, "not 14"),
        ({"read_weights": torch.ones(2, 3), "chosen": 4}, "reads of 3 words .* before word 4"),
        ({"read_weights": torch.ones(2, 3)}, "before word None"),
        ({"read_weights": torch.full((2, 3), NAN), "chosen": 3}, "NaN"),
    ],
)
def test_reads_refused(options, complaint):
    with pytest.raises(UserError, match=complaint):
        figures.passage(made(), TEXT, **options)
