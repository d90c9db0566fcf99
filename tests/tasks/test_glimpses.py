"""Glimpses: what each shows, held against windows cut out one by one; splits, scores, typed numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights.data import mnist
from fastweights.errors import UserError
from fastweights.tasks import Glimpses
from fastweights.tasks.glimpses import READINGS, Examples, cells, path


@pytest.fixture(scope="module", params=READINGS)
def task(request, mnist_files):
    return Glimpses(mnist_files, reading=request.param)


def seen(image: np.ndarray, glimpse) -> np.ndarray:
    """Look through one window, pixel by pixel."""
    if glimpse is None:
        return np.zeros(49)
    size = glimpse.side // 7
    return np.array(
        [
            image[
                glimpse.top + size * row : glimpse.top + size * row + size,
                glimpse.left + size * column : glimpse.left + size * column + size,
            ].mean()
            / 255
            for row in range(7)
            for column in range(7)
        ]
    )


@given(seed=st.integers(0, 99), count=st.integers(1, 4))
def test_each_glimpse_shows_its_window(task, seed, count):
    images = torch.randint(
        256, (count, 28, 28), generator=torch.Generator().manual_seed(seed)
    ).byte()
    inputs = task.inputs(Examples(images, torch.zeros(count).long()))
    assert inputs.shape == (count, 24, task.features) and inputs.dtype == torch.float32
    for image, glimpses in zip(images.numpy(), inputs[..., :49].numpy(), strict=True):
        for glimpse, pixels in zip(task.path, glimpses, strict=True):
            np.testing.assert_allclose(pixels, seen(image, glimpse), atol=1e-6)


def test_the_position_is_told_in_the_plain_reading_alone(task, mnist_files):
    inputs = task.inputs(task.split("test"))
    if task.reading == "hierarchical":
        assert inputs.shape[2] == task.features == 49
    else:
        assert torch.equal(inputs[:, :, 49:], torch.eye(24).expand(40, -1, -1))


def test_both_readings_hold_the_same_glimpses_and_every_pixel():
    plain, hierarchical = (path(reading) for reading in READINGS)
    assert len(plain) == len(hierarchical) == 24
    assert sorted(plain, key=str) == sorted(hierarchical, key=str)
    ink = np.zeros((28, 28), int)
    for glimpse in filter(None, plain):
        ink[
            glimpse.top : glimpse.top + glimpse.side, glimpse.left : glimpse.left + glimpse.side
        ] += 1
    assert (ink == 2).all()  # once at each scale


def test_an_excursion_stays_within_its_region():
    glimpses = path("hierarchical")
    for start in range(0, 24, 6):
        coarse, *fine, blank = glimpses[start : start + 6]
        assert coarse is not None and coarse.side == 14 and blank is None
        corners = [(view.top - coarse.top, view.left - coarse.left) for view in fine if view]
        assert corners == [(0, 0), (0, 7), (7, 0), (7, 7)]
    assert [view for view in glimpses[::6] if view] == list(path("plain")[20:])


@pytest.mark.parametrize("reading", READINGS)
def test_cells_say_where_the_fine_patches_belong(reading):
    for glimpse, cell in zip(path(reading), cells(reading), strict=True):
        if glimpse is None or glimpse.side == 14:
            assert cell is None
        else:
            assert divmod(cell, 4) == (glimpse.top // 7, glimpse.left // 7)


def test_splits_are_the_files_in_their_order(task, mnist_files):
    files = mnist.read(mnist_files)
    train, valid, test = (task.split(name) for name in ("train", "valid", "test"))
    assert (len(train.answer), len(valid.answer), len(test.answer)) == (220, 20, 40)
    assert np.array_equal(torch.cat((train.images, valid.images)), files.train_images)
    assert np.array_equal(torch.cat((train.answer, valid.answer)), files.train_labels)
    assert np.array_equal(test.images, files.test_images)
    assert np.array_equal(test.answer, files.test_labels)
    with pytest.raises(UserError, match="did you mean 'valid'"):
        task.split("vald")


@given(seed=st.integers(0, 99), count=st.integers(1, 30))
def test_metrics_and_confusion(task, seed, count):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 10, generator=generator)
    digits = torch.randint(10, (count,), generator=generator)
    examples = Examples(torch.zeros(count, 28, 28).byte(), digits)
    found, table = task.metrics(logits, examples), task.confusion(logits, examples)
    answers = logits.argmax(1).tolist()
    pairs = list(zip(digits.tolist(), answers, strict=True))
    assert table.tolist() == [[pairs.count((a, b)) for b in range(10)] for a in range(10)]
    assert found["accuracy"] == pytest.approx(sum(a == b for a, b in pairs) / count)
    chosen = logits.log_softmax(1)[range(count), digits].mean()
    assert found["cross_entropy"] == pytest.approx(-float(chosen), rel=1e-4)
    for digit, accuracy in enumerate(found["per_digit_accuracy"]):
        asked = [b for a, b in pairs if a == digit]
        assert accuracy == pytest.approx(sum(b == digit for b in asked) / max(1, len(asked)))


def test_scores_of_nothing_or_of_others_are_refused(task):
    test = task.split("test")
    with pytest.raises(UserError, match="no images"):
        task.metrics(torch.zeros(0, 10), Examples(test.images[:0], test.answer[:0]))
    with pytest.raises(UserError, match=r"\[40, 10\], not \[40, 9\]"):
        task.metrics(torch.zeros(40, 9), test)


def test_typed_numbers(task):
    test, one = task.split("test"), task.encode(" 7")
    assert torch.equal(one.images, test.images[7:8]) and one.answer.tolist() == [7]
    for slip in ("40", "-1", "1.5", "seven", "", "²"):
        with pytest.raises(UserError, match="numbered 0 to 39"):
            task.encode(slip)


def test_more_digits_than_python_reads_are_no_image(task):
    with pytest.raises(UserError, match="numbered 0 to") as told:
        task.encode("1" * 5000)
    assert len(str(told.value)) < 120
    for number in ("7", "007", "0" * 5000 + "7"):
        assert torch.equal(task.encode(number).images, task.split("test").images[7:8])
