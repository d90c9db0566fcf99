"""What Schlag et al. 2021 report on catbAbI: table 1."""

from __future__ import annotations

ACCURACY = {
    ("fast-weights", "qa"): 13.22,
    ("residual-lstm", "qa"): 80.88,
    ("transformer-xl", "qa"): 87.66,
    ("mnm", "qa"): 88.97,
    ("fwm", "qa"): 96.75,
    ("fast-weights", "lm"): 0.0,
    ("residual-lstm", "lm"): 80.15,
    ("transformer-xl", "lm"): 90.23,
    ("mnm", "lm"): 69.30,
    ("fwm", "lm"): 93.04,
}
"""Test accuracy in percent by model and mode."""

PERPLEXITY = {
    ("fast-weights", "qa"): 31.19,
    ("residual-lstm", "qa"): 1.93,
    ("transformer-xl", "qa"): 1.50,
    ("mnm", "qa"): 2.50,
    ("fwm", "qa"): 1.36,
    ("fast-weights", "lm"): 160.3,
    ("residual-lstm", "lm"): 1.84,
    ("transformer-xl", "lm"): 1.39,
    ("mnm", "lm"): 2.60,
    ("fwm", "lm"): 1.45,
}
"""Test perplexity on answers by model and mode."""
