"""What stands on terminals of 80 and 200 columns, and in a pipe; how far a phase is."""

from __future__ import annotations

import pytest
from terminals import runner

from fastweights.cli.console import print_table, show
from fastweights.experiments.terminal import Steps, figure_table, progress_bar
from fastweights.experiments.text.progress import EpochProgress
from fastweights.training import TerminalProgress
from fastweights.training.engine import progress

WIDE = [f"column {place}" for place in range(12)]
NUMBERS = [f"{place:02}.1234567" for place in range(12)]


def printed(columns: int | None, monkeypatch: pytest.MonkeyPatch, *blocks) -> str:
    return runner(columns, monkeypatch, lambda words: show(blocks) or 0)().text


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that goes on five seconds at every look."""
    seconds = iter(range(0, 100_000, 5))
    monkeypatch.setattr(progress, "perf_counter", lambda: float(next(seconds)))


def test_a_table_keeps_its_numbers_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (80, 200, None):

        def table(words: object) -> int:
            print_table("many", WIDE, [NUMBERS, NUMBERS])
            return 0

        shown = runner(columns, monkeypatch, table)().text
        assert all(shown.count(number) == 2 for number in NUMBERS)
        if columns is not None:
            assert max(map(len, shown.splitlines())) <= columns
        side_by_side = [line for line in shown.splitlines() if all(n in line for n in NUMBERS)]
        assert len(side_by_side) == (0 if columns == 80 else 2)


def test_steps_are_folded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = "ab" * 28
    steps = Steps({"step": symbols, "attention %": [f"{n}.5" for n in range(56)]}, 6)
    for columns in (80, 200):
        lines = printed(columns, monkeypatch, steps).splitlines()
        assert max(map(len, lines)) <= columns
        assert [line.split()[0] for line in lines] == ["step", "attention"] * (len(lines) // 2)
        cells = [cell for line in lines[1::2] for cell in line.split()[2:]]
        assert cells == [f"{n}.5" for n in range(56)]
    assert len(printed(None, monkeypatch, steps).splitlines()) == 2


def test_no_time_left_is_never_less_than_none() -> None:
    bar = EpochProgress("text", ends=(10, 20), words=100, limit=60.0)
    assert bar._left({"step": 5, "seconds": 179.0}) == 0


@pytest.mark.usefixtures("clock")
def test_a_line_a_tenth_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("test split", "segments", 1000) as tell:
        for done in range(1, 1001):
            tell(done)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10 and lines[0].startswith("test split: 100/1000")


def test_nothing_is_said_of_what_takes_no_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "perf_counter", lambda: 1.0)
    with progress_bar("test split", "segments", 100) as tell:
        for done in range(1, 101):
            tell(done)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("clock")
def test_training_is_heard_of_between_rare_evaluations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = TerminalProgress("words")
    listener.start(0, 100)
    for step in range(1, 101):
        if step % 50 == 0:
            listener.evaluated({"step": step, "seconds": 1.0, "train_loss": 0.5})
        listener.update(step, {"loss": 0.25})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "words: 10/100  loss 0.2500" and lines[4].startswith("step 50/100")


@pytest.mark.parametrize("columns", [80, 200])
def test_a_bar_on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def bar(words: object) -> int:
        with progress_bar("test split", "segments", 10) as tell:
            tell(10)
        return 0

    ran = runner(columns, monkeypatch, bar)()
    assert "10/10" in ran.text and "-1:" not in ran.text


def test_a_bar_ends_where_the_training_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(words: object) -> int:
        listener = TerminalProgress("words")
        listener.start(0, 60)
        listener.update(57, {"loss": 0.5})
        listener.evaluated({"step": 60, "seconds": 1.0, "train_loss": 0.25})
        listener.stop()
        return 0

    last = runner(80, monkeypatch, train)().text.split("\r")[-1]
    assert "60/60 loss 0.2500" in last


@pytest.mark.usefixtures("clock")
def test_an_evaluation_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    listener = TerminalProgress("words")
    listener.start(0, 100)
    for step in range(1, 101):
        listener.update(step, {"loss": 0.25})
        if step % 5 == 0:
            listener.evaluated({"step": step, "seconds": 1.0, "train_loss": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20 and all(line.startswith("step ") for line in lines)


def test_a_table_folds_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a case of several words", "preliminary_norm_weight", "5.0e-11", "short")] * 2

    def table(words: object) -> int:
        print_table("errors", ("case", "worst", "relative error", "more"), rows)
        return 0

    for columns in (66, 70, 80):
        lines = runner(columns, monkeypatch, table)().text.splitlines()
        assert max(map(len, lines)) <= columns and len(lines[1]) == len(lines[-1])
        assert sum("preliminary_norm_weight" in line for line in lines) == 2


def test_a_table_without_names_has_no_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(80, monkeypatch, figure_table("run", [("words", "42")])).splitlines()
    assert len(lines) == 4
