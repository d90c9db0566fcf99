"""What Schlag et al. 2021 report on words (section 4.3), and what their program logged."""

from __future__ import annotations

TEST = {
    ("awd-lstm", "ptb"): 57.3,
    ("awd-lstm", "wikitext-2"): 65.8,
    ("awd-transformer-xl", "ptb"): 56.50,
    ("awd-transformer-xl", "wikitext-2"): 63.11,
    ("awd-fwm", "ptb"): 54.48,
    ("awd-fwm", "wikitext-2"): 61.65,
}
"""Test perplexity, the best of three seeds."""

LOG = {
    "ptb": {1: 312.6, 5: 149.7, 10: 119.9, 50: 76.8, 100: 69.8, 500: 62.5, 900: 58.8},
    "wikitext-2": {1: 430.0, 5: 278.6, 10: 187.6, 50: 91.7, 100: 80.4},
}
"""Validation perplexity of awd-fwm after so many epochs in the authors' logs, seeds 141 and 1881."""

MILESTONES = tuple(LOG["ptb"])
"""Epochs at which a run's validation perplexity is held against the log."""
