"""The metro maps: their recipe, the paper's settings, tests, pictures, the comparison of models."""

from fastweights.experiments.metro_map.experiment import MetroMap, Resolved

__all__ = ["MetroMap", "Resolved"]
