"""Data: where data sets lie, how they are checked, read and fetched."""

from fastweights.data import babi, folders

__all__ = ["babi", "folders"]
