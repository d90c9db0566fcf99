"""Catch with memory: its recipe, the settings that meet its numbers, tests, pictures, the comparison of models."""

from fastweights.recipes.catch.recipe import Catch, Resolved

__all__ = ["Catch", "Resolved"]
