"""Data: where data sets lie, how they are checked, read and fetched."""
