"""The metro maps: their recipe, the paper's settings, tests, pictures, the comparison of models."""

from fastweights.recipes.metro_map.recipe import MetroMap, Resolved

__all__ = ["MetroMap", "Resolved"]
