"""The convolution in front of the linear memories: rows of different lengths."""

import torch

from fastweights.nn.parts.short_convolution import ShortConvolution


def test_a_padded_row_is_the_row_alone():
    torch.manual_seed(0)
    layer, x, recent = ShortConvolution(4, 3), torch.randn(3, 5, 4), torch.randn(3, 2, 4)
    lengths = torch.tensor([5, 1, 3])
    y, kept = layer(x, recent, torch.arange(5) < lengths[:, None])
    for row, length in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        alone, left = layer(x[one, :length], recent[one], None)
        torch.testing.assert_close(y[one, :length], alone)
        assert torch.equal(kept[one], left)
