"""Schlag et al. 2021, appendix A, as a demonstration: what is shown, recorded and drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.experiments import bindings
from pictures import assert_drawn


@pytest.mark.parametrize("seed", range(3))
def test_a_product_of_orthogonal_symbols_recalls_every_pair(seed: int) -> None:
    found = bindings.recall("product", bindings.PAIRS, seed)
    assert found.recalled.all() and found.error.max() < 1e-12
    told = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(told) == bindings.PAIRS


@pytest.mark.parametrize("seed", range(3))
def test_joined_symbols_interfere_but_the_last_binding_stands(seed: int) -> None:
    found = bindings.recall("concat", bindings.PAIRS, seed)
    assert found.error[-1] < 1e-12
    assert found.recalled.mean() < 0.5


def test_one_joined_binding_is_exact() -> None:
    assert bindings.recall("concat", 1, 0).error.item() < 1e-12


def test_recorded_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["reproduce", "fwm-bindings", "--results", str(tmp_path), "--seeds", "2"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "product" in shown and "lost percent" in shown
    assert_drawn(tmp_path / "fwm-bindings" / "table.png")
    report = (tmp_path / "README.md").read_text()
    assert "appendix A" in report and "**no**" not in report


def test_seeds_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least 1"):
        bindings.DEMONSTRATION.reproduce(tmp_path, 0)


def test_every_case_is_measured() -> None:
    assert bindings.measure(1).keys() == bindings.DEMONSTRATION.cases.keys()
