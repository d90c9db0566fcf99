"""`solve` and `test RUN --file`: right answers with the sentences they follow from, and a run's beside them."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from babi_runs import TINY, spoken, trained
from terminals import runner

from babi_made import make_release
from fastweights.cli import main
from fastweights.experiments.catbabi import predict

pytestmark = pytest.mark.usefixtures("unsynced")

MILK = "John got the milk there. John went to the park. Where is the milk? Where is Mary?"
WIDEST = (
    "The pink rectangle is to the right of the yellow square. The pink rectangle is to the right of the blue square."
    " Is the pink rectangle to the right of the yellow square? no. Is the triangle to the right of the red square?"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    release = make_release(place, 4)
    return trained(place / "tiny", "--data-dir", release, *TINY)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that is refused in one line on stderr alone, and return it."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    return shown.err


def test_answers_in_order_with_their_reasons(capsys):
    assert main(["solve", MILK]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Where is the milk? → park",
        "  sentence 1: John got the milk there.",
        "  sentence 2: John went to the park.",
        "Where is Mary? → ?",
        "  the story does not tell",
    ]


def test_json_is_one_object(capsys):
    found = spoken(capsys, "solve", MILK)
    milk, mary = found["questions"]
    assert (found["stories"], found["given"]) == (1, 0)
    assert milk["word"] == "park" and milk["supports"][1] == {
        "number": 2,
        "text": "John went to the park.",
    }
    assert (mary["word"], mary["supports"], mary["number"]) == (None, [], 4)


def test_reads_a_file_and_standard_input(tmp_path, capsys, monkeypatch):
    (tmp_path / "story.txt").write_text(MILK.replace(". ", ".\n"))
    by_file = spoken(capsys, "solve", "--file", tmp_path / "story.txt")
    assert by_file == spoken(capsys, "solve", MILK)
    for words in (["-"], []):
        monkeypatch.setattr(
            "sys.stdin", SimpleNamespace(buffer=io.BytesIO(MILK.encode()), isatty=lambda: False)
        )
        assert spoken(capsys, "solve", *words) == by_file


def test_reads_many_stories_in_the_releases_form_and_counts_their_answers(tmp_path, capsys):
    file = tmp_path / "qa.txt"
    file.write_text(
        "1 Yann is bored.\n2 Where will yann go? \tgarden\t1\n1 Sumit is tired.\n2 Where will sumit go? \tpark\t1\n"
        "1 Fred gave the milk to Jeff.\n2 Fred gave the apple to Jeff.\n3 What did Fred give to Jeff? \tmilk\t1\n"
    )
    assert main(["solve", "--file", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["1: where will yann go? → garden", "  sentence 1: yann is bored."]
    assert shown[2:4] == ["2: where will sumit go? → bedroom", "  the text has: park"]
    assert shown[5:8] == [
        "3: what did fred give to jeff? → apple",
        "  the text has: milk",
        "  fits as well: milk",
    ]
    assert shown[-1] == "2 of the 3 answers that the text has are right"


def test_fits_eighty_columns(monkeypatch):
    ran = runner(80, monkeypatch)("solve", WIDEST)
    assert ran.code == 0 and max(map(len, ran.text.splitlines())) <= 80


def test_refuses_in_one_line(tmp_path, capsys, monkeypatch):
    file = tmp_path / "story.txt"
    assert "the story asks nothing" in refused(capsys, "solve", "Mary went to the park.")
    assert "give either a story or --file" in refused(
        capsys, "solve", "Where is Mary?", "--file", file
    )
    assert f"no such file: {file}" in refused(capsys, "solve", "--file", file)
    assert "is a folder" in refused(capsys, "solve", "--file", tmp_path)
    file.write_bytes(b"Where is M\xe4ry?")
    assert "not UTF-8" in refused(capsys, "solve", "--file", file)
    file.write_text(" \n")
    assert "is empty" in refused(capsys, "solve", "--file", file)
    file.write_text("Mary ran to the park. Where is Mary?")
    said = refused(capsys, "solve", "--file", file)
    assert (
        f"{file}: sentence 1, 'mary ran to the park.'" in said
        and "PERSON went to the PLACE." in said
    )
    file.write_text("1 Mary is bored.\n3 Where will mary go? \tpark\t1\n")
    assert f"{file}, line 2" in refused(capsys, "solve", "--file", file)
    file.write_text(
        "1 Yann is bored.\n2 Where will yann go? \tpark\t1\n1 Yann ran.\n2 Why did yann go? \tno\t1\n"
    )
    assert f"{file}, story 2: sentence 1" in refused(capsys, "solve", "--file", file)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    assert "no story given" in refused(capsys, "solve")


def test_a_run_is_shown_beside_the_right_answers(run, tmp_path, capsys, monkeypatch):
    file = tmp_path / "story.txt"
    file.write_text(MILK)
    tested = spoken(capsys, "test", run, "--file", file)
    milk, mary = tested["questions"]
    assert (milk["word"], mary["word"], tested["answers"]) == ("park", None, 1)
    assert milk["correct"] is (milk["answer"] == "park") and mary["correct"] is None
    assert [milk["answer"], mary["answer"]] == [
        question["answer"] for question in spoken(capsys, "test", run, MILK)[0]["questions"]
    ]

    says = iter(["garden", "park"])
    answered = predict.answered

    def wrong_then_right(*given):
        return [each._replace(answer=next(says)) for each in answered(*given)]

    monkeypatch.setattr(predict, "answered", wrong_then_right)
    file.write_text(
        "John got the milk there. John went to the park. Where is the milk?? park Where is John?"
    )
    assert main(["test", str(run), "--file", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "Where is the milk? → garden" and shown[1].startswith(
        "  WRONG, probability 0."
    )
    assert shown[2:5] == [
        "  the right answer: park",
        "  sentence 1: John got the milk there.",
        "  sentence 2: John went to the park.",
    ]
    assert shown[5] == "Where is John? → park" and shown[6].startswith("  right, probability 0.")
    assert shown[-1] == "1 of 2 answers of fwm are right"


def test_a_run_refuses_what_cannot_be_understood(run, tmp_path, capsys):
    file = tmp_path / "story.txt"
    assert "no such file" in refused(capsys, "test", run, "--file", file)
    file.write_text("Mary is in the milk. Where is Mary?")
    assert f"{file}: sentence 1" in refused(capsys, "test", run, "--file", file)
    assert "leave out what chooses others" in refused(
        capsys, "test", run, "--file", file, "--split", "test"
    )
