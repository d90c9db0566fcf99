"""Associative retrieval: its recipe, the settings that meet its numbers, typed questions, pictures."""

from fastweights.experiments.retrieval.experiment import Resolved, Retrieval

__all__ = ["Resolved", "Retrieval"]
