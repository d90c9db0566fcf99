"""MNIST glimpses: the recipe, its settings, typed images, pictures, the paper's table."""

from fastweights.recipes.glimpses.recipe import Glimpses, Resolved

__all__ = ["Glimpses", "Resolved"]
