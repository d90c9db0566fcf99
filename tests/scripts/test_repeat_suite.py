"""The suite is repeated under every setting, and what fails is counted and named."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import repeat_suite


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A suite of one test, which fails under one setting."""
    monkeypatch.setattr(repeat_suite, "ROOT", tmp_path)
    monkeypatch.setattr(repeat_suite, "PYTEST", ("-p", "no:cacheprovider"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    test = "import os\ndef test_it(): assert os.environ.get('ATEN_CPU_CAPABILITY') != 'avx2'\n"
    (tmp_path / "test_one.py").write_text(test)


def test_a_run_is_a_row_with_what_failed(suite, capsys):
    assert not repeat_suite.all_right(["2", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["setting"] for row in rows] == ["plain", "default", "avx2"] * 2
    assert [row["wrong"] for row in rows] == [0, 0, 1] * 2
    assert [row["failed"] for row in rows[:3]] == ["", "", "test_one::test_it"]
    assert all(row["tests"] == 1 and row["commit"] and row["seconds"] > 0 for row in rows)


def test_a_run_that_finds_no_test_is_wrong(suite, capsys):
    assert not repeat_suite.all_right(["1", "--settings", "plain", "--", "-k", "nothing"])
    assert "0 tests, 1 wrong" in capsys.readouterr().out
