"""Options of a backbone as a command takes them: NAME=VALUE."""

from __future__ import annotations

import json
from typing import Any

from fastweights.errors import UserError, unknown


def parsed(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; a value is what it would be in JSON, or a word.

    Example:
        >>> parsed(("memory_length=400", "pre_norm=true", "variant=paper"))
        {'memory_length': 400, 'pre_norm': True, 'variant': 'paper'}
    """
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UserError(f"--set takes NAME=VALUE, not {pair!r}")
        try:
            found[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            found[name.strip().replace("-", "_")] = value
    return found


def further(model: str, pairs: tuple[str, ...], elsewhere: tuple[str, ...]) -> dict[str, Any]:
    """Read the options that `--set` gives a backbone.

    Args:
        model: its registered name.
        pairs: NAME=VALUE.
        elsewhere: names that have an option of the command to themselves.

    Raises:
        UserError: for an option that the model does not have, or that is said elsewhere.
    """
    from fastweights import models

    accepted, given = models.options(model), parsed(pairs)
    for name, value in given.items():
        if name not in accepted:
            raise unknown(f"option of model {model!r}", name, accepted)
        if name == "backend" or name in elsewhere:
            raise UserError(f"{name} has an option of its own: --{name.replace('_', '-')} {value}")
        if isinstance(accepted[name], bool) and not isinstance(value, bool):
            raise UserError(f"{name} is true or false, not {value!r}")
    return given


def has_fast_weights(model: str) -> bool:
    """Tell whether a model (by its registered name) is a form of the fast-weights RNN."""
    return model in ("fast-weights", "fast-weights-flat")


def backend_option(model: str, backend: str) -> dict[str, str]:
    """Give a backbone's option for the implementation of its recurrence; none where it has but one.

    Args:
        model: its registered name.
        backend: as a recipe has it.

    Raises:
        UserError: if an implementation is asked of a model that has only one.

    Example:
        >>> backend_option("fwm", "cpu"), backend_option("irnn", "auto")
        ({'backend': 'cpu'}, {})
    """
    from fastweights import models

    if "backend" in models.options(model):
        return {"backend": backend}
    if backend != "auto":
        raise UserError(f"model {model!r} has one implementation: backend must be auto")
    return {}
