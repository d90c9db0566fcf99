"""The cost of the import, measured in fresh interpreters; and what keeps it low: what is not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastweights.bench import imports
from fastweights.errors import UserError


def test_row_holds_both_times_and_the_verdict() -> None:
    (row,) = imports.run(repeats=1)
    assert row["torch_seconds"] > 0 and row["added_seconds"] > 0
    assert row["reached"] == (row["added_seconds"] <= row["limit_seconds"] == imports.LIMIT)


def test_medians_leave_out_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = iter([(9.0, 9.0), (1.0, 0.5), (3.0, 0.1), (2.0, 0.2)])
    monkeypatch.setattr(imports, "_once", lambda: next(pairs))
    (row,) = imports.run(repeats=3)
    assert (row["torch_seconds"], row["added_seconds"], row["reached"]) == (2.0, 0.2, True)


def test_repeats_below_one_are_refused() -> None:
    with pytest.raises(UserError, match="at least 1"):
        imports.run(repeats=0)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import fastweights", {"fastweights", "fastweights.version"}),
        ("from fastweights import FastWeightRNN, ops", None),
        (
            "from fastweights import UserError",
            {"fastweights", "fastweights.version", "fastweights.errors"},
        ),
    ],
)
def test_only_what_is_used_is_imported(statement: str, allowed: set[str] | None) -> None:
    """Beside torch: nothing of other libraries but jaxtyping, and no room above the one that is used."""
    script = f"import sys, torch; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = set(printed.stdout.split())
    assert "fastweights" in loaded, printed.stderr
    if allowed is not None:
        assert loaded <= allowed
        return
    tops = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert tops <= {"fastweights", "jaxtyping", "numpy"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("fastweights.")}
    assert rooms <= {"nn", "ops", "kernels", "state", "errors", "version"}
