"""Fast weight memories for PyTorch: layers, recurrences, experiments, pictures."""

__version__ = "0.1.0"
