"""Associative retrieval: its experiment, the settings that meet its numbers, typed questions, pictures, tables."""
