"""A memory that is a small network: read by running it, written by changing its weights in one shot."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.checks import check_sizes

Weights = tuple[Float[Tensor, "batch input output"], ...]


class NeuralMemory(nn.Module):
    """A feed-forward network of fast weights M_1 … M_L, one set for each row of a batch.

    Read, for a key k:

        z_0 = k        z_l = tanh(z_l-1 M_l),  l < L        z_L = z_L-1 M_L, the value

    Write, for keys k and values v of H heads and a strength β, with the z of each k before the write:

        [t_1 … t_L] = v B + b
        M_l ← M_l + 2β / (H d) Σ_heads z_l-1ᵀ (t_l − z_l)

    What each layer should have put out is not back-propagated through the memory but foretold from
    the value, by one learned linear map. So all layers are written at once, each by the perceptron's
    rule from what stands at its two ends, and no gradient is taken.

    Args:
        size: d, the features of keys, values and hidden layers.
        layers: L.

    Parameters: `targets.weight` Bᵀ [L·d, d] and `targets.bias`. `start` [L, d, d] is where the
    weights start: drawn from U(±1/√d), saved and never learned.

    Raises:
        UserError: for a size that is not positive.

    Source: the plastic variant (MNM-p) of Munkhdalai, Sordoni, Wang & Trischler, "Metalearned
    Neural Memory", NeurIPS 2019.

    Example:
        >>> memory = NeuralMemory(8)
        >>> weights = memory.opened(torch.zeros(2, 3, 8, 8))
        >>> memory.read(weights, torch.randn(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    start: Tensor

    def __init__(self, size: int, layers: int = 3) -> None:
        super().__init__()
        check_sizes(memory_size=size, memory_layers=layers)
        self.size, self.layers = size, layers
        self.targets = nn.Linear(size, layers * size)
        bound = 1 / math.sqrt(size)
        self.register_buffer("start", torch.empty(layers, size, size).uniform_(-bound, bound))

    def opened(self, written: Float[Tensor, "batch layers input output"]) -> Weights:
        """Return the weights, from what was written to them since their start."""
        return (self.start + written).unbind(1)

    def read(
        self, weights: Weights, keys: Float[Tensor, "batch keys size"]
    ) -> Float[Tensor, "batch keys size"]:
        """Return the values of the keys."""
        return self.activations(weights, keys)[-1]

    def write(
        self,
        weights: Weights,
        keys: Float[Tensor, "batch heads size"],
        values: Float[Tensor, "batch heads size"],
        strength: Float[Tensor, "batch 1"],
    ) -> Weights:
        """Return the weights after a write of all heads at once."""
        found = self.activations(weights, keys)
        rate = 2 / keys[0].numel() * strength[:, :, None]
        errors = rate * (self.targets(values) - torch.cat(found, -1))
        ends = zip(weights, (keys, *found), errors.split(self.size, -1), strict=False)
        return tuple(torch.baddbmm(weight, z.mT, error) for weight, z, error in ends)

    def activations(
        self, weights: Weights, keys: Float[Tensor, "batch keys size"]
    ) -> list[Float[Tensor, "batch keys size"]]:
        """Return z_1 … z_L of the keys."""
        *below, last = weights
        found = [keys]
        for weight in below:
            found.append(torch.tanh(torch.bmm(found[-1], weight)))
        return [*found[1:], torch.bmm(found[-1], last)]

    def extra_repr(self) -> str:
        return f"{self.size}, layers={self.layers}"
