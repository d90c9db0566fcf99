"""The settings of each model on the glimpses: what is taken where nothing is given."""

from __future__ import annotations

from fastweights.experiments.glimpses.options import GlimpsesOptions
from fastweights.experiments.options import backbone_fields, has_options

FAST_WEIGHT_OPTIONS = {"decay": 0.95, "rate": 0.5, "inner_steps": 1}
"""Fields that only a fast-weights RNN understands, with the paper's values; they become the backbone's options."""


def defaults(options: GlimpsesOptions) -> dict[str, object]:
    """Return every default: one for all models but for the memory's constants, more steps for the larger ones.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, FAST_WEIGHT_OPTIONS)
    default_steps = 12_000 if options.features < 100 else 20_000
    steps = options.steps or default_steps
    return {
        "glimpse_layer": 0 if options.model == "convnet" else 200,
        "input_dropout": 0.15,
        "steps": default_steps,
        "batch": 128,
        "learning_rate": 4e-3,
        "weight_decay": 0.2,
        "warmup": min(200, steps // 10),
        "clip": 1.0,
        "evaluation_interval": max(1, steps // 20),
        **(FAST_WEIGHT_OPTIONS if has_options(options.model, FAST_WEIGHT_OPTIONS) else {}),
    }
