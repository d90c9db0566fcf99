"""The page of the open questions: it is what the recorded rows say, and says so where there are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import open_questions
import pytest
from open_question_answers import Rows, answers

ROOT = Path(__file__).parents[2]


def study(name: str, by_cell: dict[str, dict[str, Any]]) -> Rows:
    rows = Rows(Path("nowhere"), name)
    rows.by_cell.update(by_cell)
    return rows


def row(*errors: float | None, **kept: Any) -> dict[str, Any]:
    curve = [
        {"step": step, "fast_gradient_norm": 6.0, "slow_gradient_norm": 2.0} for step in (0, 10)
    ]
    entries = ({"value": error, "kept": kept, "curve": curve} for error in errors)
    return {"by_seed": dict(enumerate(entries))}


def test_the_page_is_what_the_rows_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert open_questions.PAGE.read_text("utf-8") == open_questions.page(ROOT / "results"), (
        "run scripts/open_questions.py"
    )


def test_without_rows_every_answer_says_how_to_make_them(tmp_path: Path) -> None:
    page = open_questions.page(tmp_path)
    parts = page.split("\n## ")[1:10]
    assert [part[:2] for part in parts] == [f"{number}." for number in range(1, 10)]
    for number, part in enumerate(parts, start=1):
        made = "data-movement" if number == 7 else f'open-questions --only "{number} *"'
        assert "**Method.** " in part and "*No figure yet.*" in part
        assert "recorded yet: `fastweights reproduce " + made in part and "Preliminary" not in part
    assert not set("{}") & set(page)


def test_with_all_rows_every_answer_is_two_sentences() -> None:
    first = study("open-questions", {})
    told = answers(
        study("open-questions", {cell.name: row(5.0, 50.0, None) for cell in first.study.cells}),
        study(
            "data-movement",
            {cell: {"value": 1.0} for cell in Rows(ROOT, "data-movement").study.cases},
        ),
    )
    assert [*told] == [*"123456789"]
    for number, answer in told.items():
        assert answer.count(". ") == 1 and answer.endswith("."), (number, answer)
        assert "recorded" not in answer, (number, answer)


def test_numbers_are_medians_and_seeds_that_fail_are_counted() -> None:
    steps = {"90": 700, "99": None, "99.9": None}
    rows = study(
        "open-questions",
        {
            "1 inner, adam 1e-4, 50,000 steps": row(1.0, 3.0, None, steps_to=steps),
            "2 flat, 4 pairs, at once": row(61.0, 62.0, 63.0),
            "2 flat, 4 pairs, curriculum": row(2.0, 2.5, 40.0),
            "4 flat, 4 pairs, weight 3": row(12.0),
            "4 flat, 4 pairs, weight 1": row(9.0),
            "9 inner, LN, relu, W=0 I": row(0.5, 90.0),
            "9 inner, no LN, tanh, W=0 I": row(90.0),
            "9 inner, λ 1, η 0.1, 100 units": row(None),
        },
    )
    told = answers(rows, study("data-movement", {}))
    assert (
        "errs on 3 % with Adam (not recorded yet with RMSProp); seeds that come past 90 % do after 700"
        in told["1"]
    )
    assert "62 % at 4" in told["2"] and "2.5 % at 4" in told["2"]
    assert "3 of 3 fail without, 1 of 3 with one" in told["2"]
    assert "is not drowned" not in told["4"] and "is 3 in the 4 seeds" in told["3"]
    assert "at 4 pairs weight 1 rescues it (9 % errors, 62 % without)" in told["4"]
    assert (
        "3 of 4 with the inner loop" in told["9"]
        and "1 of 2 with layer normalisation and 1 of 1 without" in told["9"]
    )
    assert open_questions.state(rows, "4") == (
        "*Preliminary: 2 of 15 cells are recorded, with 1 of 5 seeds.*"
    )
