"""The reads of an answer: every weight in a cell, every word over its cells, lines that fit the page."""

import itertools

import numpy as np
import pytest
import torch
from matplotlib.collections import PatchCollection

from fastweights.errors import UserError
from fastweights.figures import read_grid

TEXT = "mice are afraid of wolves . gertrude is a mouse . what is gertrude afraid of ?"
STORY = TEXT.split()


def make_weights(words, reads=3, *, signed=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(reads, len(words), generator=generator)
    return weights if signed else weights.abs()


def cells(figure):
    (collection,) = [c for c in figure.axes[0].collections if isinstance(c, PatchCollection)]
    return collection


def boxes(figure):
    """Left, top, right and bottom of every cell, word by word."""
    return [path.get_extents().extents for path in cells(figure).get_paths()]


@pytest.mark.parametrize("signed", [False, True])
def test_every_weight_has_its_cell_under_its_word(signed):
    weights = make_weights(STORY, signed=signed)
    figure = read_grid(weights, STORY, answer="wolf", probability=0.9921)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == STORY
    np.testing.assert_allclose(cells(figure).get_array(), weights.T.ravel().double())
    for place, text in enumerate(axes.texts):
        column = boxes(figure)[3 * place : 3 * place + 3]
        for left, _, right, _ in column:
            assert left < text.get_position()[0] < right
        tops = [top for _, top, _, _ in column]
        assert text.get_position()[1] < tops[0] < tops[1] < tops[2]
    low, high = cells(figure).get_clim()
    assert low == (pytest.approx(-high) if signed else 0)
    assert axes.get_title(loc="left") == "answer: wolf (99.2 %)"
    assert axes.get_ylabel() == "read"
    assert "dimensionless" in figure.axes[1].get_xlabel()


@pytest.mark.parametrize("reads", [1, 3])
@pytest.mark.parametrize("count", [1, 18, 120])
def test_words_neither_overlap_nor_leave_the_page(count, reads):
    words = list(itertools.islice(itertools.cycle(STORY), count))
    figure = read_grid(make_weights(words, reads), words, title="one answer")
    axes = figure.axes[0]
    assert len(axes.texts) == count and len(boxes(figure)) == reads * count
    figure.draw_without_rendering()
    spans = [text.get_window_extent() for text in axes.texts]
    for left, right in itertools.pairwise(spans):
        assert not left.overlaps(right)
    assert all(figure.bbox.x0 <= span.x0 and span.x1 <= figure.bbox.x1 for span in spans)
    lines = len({text.get_position()[1] for text in axes.texts})
    assert (lines == 1) == (count <= 18)
    assert len(axes.get_yticks()) == reads * lines
    assert [label.get_text() for label in axes.get_yticklabels()][:reads] == ["1", "2", "3"][:reads]


@pytest.mark.parametrize(
    ("text", "given", "bold"),
    [
        (TEXT, None, "what is gertrude afraid of ?"),
        ("a is b . is a b ? yes is b a ?", None, "is b a ?"),
        ("<eos> where is mary ?", None, "where is mary ?"),
        ("where is mary ?", None, "where is mary ?"),
        ("?", None, "?"),
        (TEXT, 16, "?"),
    ],
)
def test_the_question_is_bold(text, given, bold):
    words = text.split()
    axes = read_grid(make_weights(words), words, question=given).axes[0]
    assert " ".join(text.get_text() for text in axes.texts if text.get_weight() == "bold") == bold


def test_arrays_will_do_and_what_is_not_given_is_not_written():
    weights = np.zeros((2, 3), dtype=np.float32)
    axes = read_grid(weights, ["$x$", "_", "?"]).axes[0]
    assert axes.get_title(loc="left") == "" and axes.texts[0].get_text() == "$x$"
    axes = read_grid(weights, ["a", "b", "?"], answer="yes").axes[0]
    assert axes.get_title(loc="left") == "answer: yes"


@pytest.mark.parametrize(
    ("weights", "words", "complaint"),
    [
        (torch.zeros(3, 2), ["a"], "3 reads of 2 steps do not go with 1 words"),
        (torch.zeros(3, 0), [], "0 words"),
        (torch.zeros(0, 1), ["a"], "0 reads"),
        (torch.full((1, 1), torch.nan), ["a"], "NaN"),
    ],
)
def test_refused(weights, words, complaint):
    with pytest.raises(UserError, match=complaint):
        read_grid(weights, words)
