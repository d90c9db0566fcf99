"""Word language models: the recipe, its presets, typed text, generation, the paper's numbers."""

from fastweights.recipes.text.recipe import Resolved, Text

__all__ = ["Resolved", "Text"]
