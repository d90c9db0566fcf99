"""The settings that meet the recorded numbers, by task and model: what is taken where nothing is given."""

from __future__ import annotations

from fastweights.experiments.options import backbone_fields, has_options
from fastweights.experiments.retrieval.options import RetrievalOptions

FAST_WEIGHT_OPTIONS = (
    "decay",
    "rate",
    "inner_steps",
    "nonlinearity",
    "layer_norm",
    "preliminary_norm",
    "norm_gain",
    "recurrent_scale",
    "input_std",
)
"""Fields that only a fast-weights RNN understands; they become the backbone's options."""


def defaults(options: RetrievalOptions) -> dict[str, object]:
    """Return every default for a model on a task: a base, then what the size of the task changes.

    Raises:
        UserError: if an option is given that the model does not have.
    """
    backbone_fields(options, FAST_WEIGHT_OPTIONS)
    learning_rate, steps, curriculum = 1e-2, 5400, None
    chosen: dict[str, object] = {
        "hidden": 50,
        "embedding": 0,
        "readout": 0,
        "decay": 0.95,
        "rate": 0.5,
        "inner_steps": 1,
        "nonlinearity": "relu",
        "layer_norm": True,
        "preliminary_norm": False,
        "norm_gain": 0.5,
        "recurrent_scale": 0.05,
        "input_std": 1.0,
        "batch": 128,
        "optimiser": "adam",
        "beta2": 0.999,
        "schedule": "cosine",
        "clip": 1.0,
    }
    pairs = options.pairs
    if pairs > 4:
        chosen.update(hidden=100, decay=1.0, rate=0.1, norm_gain=1.0)
        learning_rate, steps = 5e-3, 3200
    if pairs > 8:
        curriculum = (*(stage for stage in (4, 8, 16) if stage < pairs), pairs)
        chosen["hidden"] = 128
        learning_rate, steps = 3e-3, 1000 * len(curriculum)
    if options.form == "trailing-read" and pairs == 4:
        steps = 8000
    if options.model == "fast-weights-flat":
        chosen.update(nonlinearity="tanh", recurrent_scale=0.5, norm_gain=1.0, clip=5.0)
        learning_rate = 5e-3
    if (options.hidden or 0) >= 100:
        learning_rate = min(learning_rate, 5e-3)
    if options.data == "fresh":
        chosen["curriculum"] = curriculum
    if not has_options(options.model, FAST_WEIGHT_OPTIONS):
        chosen = {name: chosen[name] for name in chosen if name not in FAST_WEIGHT_OPTIONS}
    steps = options.steps or steps
    return {
        **chosen,
        "steps": steps,
        "learning_rate": learning_rate,
        "evaluation_interval": max(1, steps // 20),
        "warmup": min(200, steps // 10),
    }
