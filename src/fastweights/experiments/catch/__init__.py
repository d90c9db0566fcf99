"""Catch with memory: its recipe, the settings that meet its numbers, tests, pictures, the comparison of models."""

from fastweights.experiments.catch.experiment import Catch, Resolved

__all__ = ["Catch", "Resolved"]
