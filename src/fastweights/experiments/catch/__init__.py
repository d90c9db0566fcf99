"""Catch with memory: its experiment, the settings that meet its numbers, tests, pictures, the comparison of models."""
