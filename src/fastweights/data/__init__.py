"""Data: where data sets lie, how they are checked, read and fetched."""

from fastweights.data import babi

__all__ = ["babi"]
