"""Seeds of one experiment put together, and what tells the others apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

from fastweights.experiments.loaded_run import LoadedRun

T = TypeVar("T")


def group(runs: Sequence[LoadedRun[T]]) -> dict[str, list[LoadedRun[T]]]:
    """Group runs that differ in the seed alone by a name for the legend: the model and whatever else sets it apart."""
    alike: dict[str, list[LoadedRun[T]]] = {}
    for run in runs:
        plan = {**run.plan, "seed": 0, "device": "", "backend": "", "data_dir": ""}
        # A field that an earlier version did not have says no more than one left at None.
        plan = {key: value for key, value in plan.items() if value is not None}
        alike.setdefault(json.dumps(plan, sort_keys=True), []).append(run)
    plans = [json.loads(key) for key in alike]
    named = {}
    for plan, seeds in zip(plans, alike.values(), strict=True):
        same = [other for other in plans if other["model"] == plan["model"]]
        keys = sorted(set().union(*same))
        apart = [key for key in keys if any(other.get(key) != plan.get(key) for other in same)]
        words = [_in_words(key, plan.get(key)) for key in apart]
        named[", ".join([plan["model"], *words])] = seeds
    return named


def _in_words(option: str, value: object) -> str:
    if option == "layer_norm":
        return "with LN" if value else "without LN"
    if option == "set" and isinstance(value, list):
        return ", ".join(value) or "its defaults"
    return f"{option.replace('_', ' ')} {value}"
