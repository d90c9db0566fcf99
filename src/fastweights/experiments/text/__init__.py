"""Word language models: the recipe, its presets, typed text, generation, the paper's numbers."""

from fastweights.experiments.text.experiment import Resolved, Text

__all__ = ["Resolved", "Text"]
