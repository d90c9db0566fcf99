"""The convolutional network over patches: the same as one that is given whole pictures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import models, nn
from fastweights.errors import UserError

ORDERS = st.permutations([0, 1, 2, 3, None, None])


def made(cells) -> nn.ConvNet:
    torch.manual_seed(0)
    return nn.ConvNet(10, 6, cells=cells, patch=3, channels=(3, 4), kernel=3)


def cut(pictures: torch.Tensor, cells) -> torch.Tensor:
    """Show a 6 × 6 picture patch by patch; what else a step tells is noise."""
    steps = []
    for cell in cells:
        pixels = torch.randn(len(pictures), 3, 3)
        if cell is not None:
            top, left = 3 * (cell // 2), 3 * (cell % 2)
            pixels = pictures[:, top : top + 3, left : left + 3]
        steps.append(torch.cat((pixels.flatten(1), torch.randn(len(pictures), 1)), 1))
    return torch.stack(steps, 1)


@given(cells=ORDERS, seed=st.integers(0, 9))
def test_in_the_end_it_sees_the_whole_picture_whatever_the_order(cells, seed):
    torch.manual_seed(seed)
    pictures = torch.randn(2, 6, 6)
    layer = made(cells)
    y, state = layer(cut(pictures, cells))
    torch.testing.assert_close(y[:, -1], layer.features(pictures[:, None]))
    rows = torch.cat(
        [
            torch.cat(list(state.picture.view(2, 4, 3, 3)[:, [i, i + 1]].unbind(1)), 2)
            for i in (0, 2)
        ],
        1,
    )
    assert torch.equal(rows, pictures) and state.steps.tolist() == [6, 6]


@given(cells=ORDERS, step=st.integers(0, 5))
def test_before_that_it_sees_what_has_been_shown(cells, step):
    pictures = torch.randn(2, 6, 6)
    layer = made(cells)
    y, _ = layer(cut(pictures, cells))
    partly = torch.zeros_like(pictures)
    for cell in cells[: step + 1]:
        if cell is not None:
            place = (
                slice(3 * (cell // 2), 3 * (cell // 2) + 3),
                slice(3 * (cell % 2), 3 * (cell % 2) + 3),
            )
            partly[:, *place] = pictures[:, *place]
    torch.testing.assert_close(y[:, step], layer.features(partly[:, None]))


def test_what_is_not_read_is_not_computed_and_changes_nothing():
    layer = made((0, None, 1, 2, 3, None))
    x, seen = torch.randn(2, 6, 10), []
    layer.features.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    whole, end = layer(x)
    read = torch.zeros(2, 6, dtype=torch.bool)
    read[0, 3] = read[1, 5] = True
    y, state = layer(x, read_mask=read)
    assert seen == [12, 2]
    torch.testing.assert_close(y[read], whole[read])
    assert (y[~read] == 0).all()
    assert torch.equal(state.picture, end.picture) and torch.equal(state.steps, end.steps)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "for the task glimpses alone"),
        ({"cells": (0, 1, 2)}, "square grid"),
        ({"cells": (0, 1, 2, 4)}, "square grid"),
        ({"cells": (0, 1, 2, 3, 3)}, "each once"),
        ({"cells": (None,)}, "14|0 × 0"),
        ({"cells": (0, 1, 2, 3), "patch": 4}, "none for 10 features"),
        ({"cells": (0, 1, 2, 3), "patch": 1}, "2 × 2 pixels"),
        ({"cells": (0, 1, 2, 3), "patch": 3, "channels": (3,)}, "two convolutions"),
        ({"cells": (0, 1, 2, 3), "patch": 3, "channels": (3, 0)}, "channel 1"),
        ({"cells": (0, 1, 2, 3), "patch": 3, "kernel": 2}, "odd"),
    ],
)
def test_slips(options, word):
    with pytest.raises(UserError, match=word):
        models.build("convnet", 10, 6, **options)
