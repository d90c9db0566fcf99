"""The comparison with bAbI's release: few made stories are within the recorded numbers, other stories are not."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from fastweights.data import babi
from fastweights.tasks.babi import story

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import babi_equality
import babi_measures
import babi_table

FEW = 40


@pytest.mark.parametrize("task", babi.ALL_TASKS)
def test_made_stories_are_within_the_recorded_numbers(task):
    """Beyond the tolerance lies no more than five standard errors of so few stories, whose questions are alike."""
    made = babi_measures.measure(task, [story(task, n).words() for n in range(FEW)])
    row = babi_table.TABLE[task]
    for name, is_, right, tolerance in babi_measures.compare(task, made, row):
        if ":" in name:
            spread = math.sqrt(right * (100 - right))
        elif name in ("sentences", "questions", "words"):
            spread = row.get("deviation", 0.0) / row["words"] * right
        else:
            continue  # what so few stories do not tell
        assert abs(is_ - right) <= tolerance + 5 * spread / math.sqrt(FEW), name


def test_other_stories_are_found_out(capsys, monkeypatch):
    monkeypatch.setitem(babi_table.TABLE, 4, {**babi_table.TABLE[4], "words": 30.0})
    monkeypatch.setattr(sys, "argv", ["babi_equality", "--tasks", "4", "--stories", "50"])
    monkeypatch.setenv("FASTWEIGHTS_DATA", "nowhere")
    assert not babi_equality.all_right()
    out, err = capsys.readouterr()
    assert "words: 24.00, not 30.00 ± 0.60" in out and "only against the table" in err
    monkeypatch.undo()


def test_lines_of_a_story():
    lines = babi_measures.Text.of("mary went home . where is mary ? home what is it ? n,e").lines
    assert lines == (
        ("mary went home .", None),
        ("where is mary ?", "home"),
        ("what is it ?", "n,e"),
    )
