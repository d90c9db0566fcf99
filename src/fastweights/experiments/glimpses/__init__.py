"""MNIST glimpses: the recipe, its settings, typed images, pictures, the paper's table."""

from fastweights.experiments.glimpses.experiment import Glimpses, Resolved

__all__ = ["Glimpses", "Resolved"]
