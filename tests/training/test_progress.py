import io
import sys

import pytest
from regression import Regression, network, recipe

from fastweights.training import NoProgress, TerminalProgress, fit
from fastweights.training.engine.progress import Progress

ROW = {"step": 5, "seconds": 1.25, "train_loss": 0.5, "accuracy": 0.75, "per_slot": [1.0]}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("listener", [NoProgress(), TerminalProgress()])
def test_listeners_follow_the_protocol(listener):
    assert isinstance(listener, Progress)


def test_without_a_terminal_there_is_a_line_an_evaluation(capsys):
    progress = TerminalProgress("retrieval", ceiling=0.3835)
    progress.start(0, 10)
    progress.update(3, {"loss": 0.7, "accuracy": 0.5})
    progress.evaluated({**ROW, "step": 0})
    progress.evaluated(ROW)
    progress.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "step 5/10  loss 0.5000  accuracy 75.00 % (no binding: 38.35 %)  1.2 s\n"


@pytest.mark.parametrize("width", [80, 160])
def test_on_a_terminal_there_is_a_bar_with_loss_accuracy_and_ceiling(width, monkeypatch, capsys):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    progress = TerminalProgress("retrieval", ceiling=0.3835)
    progress.start(0, 10)
    progress.update(3, {"loss": 0.7, "accuracy": 0.5})
    progress.update(6, {"loss": 0.6, "accuracy": 0.625})
    progress.evaluated(ROW)
    progress.stop()
    drawn = screen.getvalue()
    for part in ("6/10", "loss 0.6000", "accuracy 62.50 %", "no binding: 38.35 %"):
        assert part in drawn
    assert ("retrieval" in drawn.split("\r")[-1]) is (width == 160)  # readings take its place
    assert capsys.readouterr().out == ""


def test_a_run_that_ends_at_a_time_counts_seconds_and_its_pace_in_its_own_unit(monkeypatch, capsys):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("fastweights.training.engine.progress.perf_counter", lambda: next(clock))
    progress = TerminalProgress("catbabi", work=100, unit="words", limit=40.0)
    progress.start(7, 10**7)
    progress.update(17, {"loss": 0.7})
    progress.update(57, {"loss": 0.6})
    assert progress._bar.tasks[0].percentage == 50.0
    progress.stop()
    drawn = screen.getvalue()
    assert "250 words/s" in drawn and "57" in drawn and "10000000" not in drawn
    assert progress._place(57) == "57"


def test_a_run_without_accuracy_is_shown_too(run, capsys):
    fit(network(), Regression(), recipe(14), run, progress=TerminalProgress())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["7/14", "14/14"]
    assert all("accuracy" not in line for line in lines)
