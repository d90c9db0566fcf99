"""What every experiment keeps: plans that lack nothing, fingerprints of every field, help that names its task."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fastweights import models, tasks
from fastweights.cli import main
from fastweights.experiments import registry
from fastweights.experiments.ledger import recorded
from fastweights.experiments.plan import with_defaults

ROOT = Path(__file__).parents[2]
NAMES = tuple(registry.EXPERIMENTS)
RESULTS = sorted((ROOT / "results").glob("*/cells.jsonl"))


@pytest.mark.parametrize("name", NAMES)
def test_a_default_that_is_forgotten_is_an_error(name):
    experiment = registry.get(name)
    options = experiment.options()
    values = with_defaults(options, experiment.defaults(options))
    chosen = {field for field, value in values.items() if getattr(options, field) != value}
    backbone = {*models.options(options.model)}
    assert len(chosen) > 5
    for field in chosen - backbone:
        with pytest.raises(TypeError, match=field):
            experiment.plan_type(**{key: values[key] for key in values if key != field})


@pytest.mark.parametrize("name", NAMES)
def test_every_field_decides_or_is_known_not_to(name):
    experiment = registry.get(name)
    options = experiment.options
    fields = {field.name for field in dataclasses.fields(options)}
    pairs = [text.partition("=") for text in experiment.plan_type.fingerprint_fields]
    stated = [name if name in fields else attribute for name, _, attribute in pairs]
    beside = {"seed", *options.changeable_on_resume, *options.recorded_on_resume()}
    beside -= {*options.of_test}  # a test's options decide its figures
    assert len(stated) == len({*stated}) and not beside & {*stated}
    assert {*stated} | beside == fields


def test_a_renamed_field_leaves_the_fingerprint_and_a_changed_value_does_not():
    experiment = registry.get("retrieval")
    plan = experiment.plan(experiment.options())

    class Renamed(type(plan)):
        fingerprint_fields = tuple(
            "pairs=lengths" if name == "pairs" else name for name in plan.fingerprint_fields
        )
        lengths = plan.pairs

    values = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    assert Renamed(**values).fingerprint() == plan.fingerprint()
    assert dataclasses.replace(plan, seed=3, device="cuda").fingerprint() == plan.fingerprint()
    for change in ({"pairs": 5}, {"batch": 7}, {"decay": 0.5}, {"test_samples": 9}):
        assert dataclasses.replace(plan, **change).fingerprint() != plan.fingerprint()
    assert plan.fingerprint("test_error_percent") != plan.fingerprint()


def test_every_task_has_its_experiment():
    assert tasks.names() == NAMES


@pytest.mark.parametrize("verb", ["test", "plot"])
def test_help_says_which_option_belongs_to_which_task(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "800")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    lines = [line.strip("│| ") for line in text.splitlines()]
    for experiment in registry.EXPERIMENTS.values():
        if verb == "plot":
            assert experiment.sequence in text and experiment.animated in text
            continue
        (line,) = [line for line in lines if line.startswith(f"{experiment.name}: ")]
        for field in dataclasses.fields(experiment.test_options):
            assert f"--{field.name.replace('_', '-')}" in line
    assert verb == "plot" or text.count("--pairs") == 2


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.parent.name)
def test_rows_are_those_that_were_recorded(path):
    """Values, seeds and origin; delete a line of the digests with the row that is made anew."""
    kept = json.loads((Path(__file__).parent / "recorded_rows.json").read_text())
    study = registry.study(path.parent.name)
    rows = recorded(path)
    assert all(study.holds(row) for row in rows)
    for row in rows:
        digest = kept.get(f"{path.parent.name}/{row['cell']}")
        assert digest in (None, _digest(row)), row["cell"]


def _digest(row: dict[str, object]) -> str:
    import hashlib

    told = {key: row[key] for key in row if key != "fingerprint"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
