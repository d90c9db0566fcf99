"""catbAbI: its recipe, the settings of its models, typed stories, pictures, the paper's table."""

from fastweights.experiments.catbabi.experiment import CatBAbI, Resolved

__all__ = ["CatBAbI", "Resolved"]
