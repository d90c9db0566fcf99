"""Pictures on disk: whole, the same bytes again, in the house's style whatever the user's own; animations that loop."""

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from made import SYMBOLS, make_rows, make_trace
from matplotlib.text import Text
from PIL import Image

from fastweights import figures
from fastweights.errors import UserError
from fastweights.figures import animate, save, slot_accuracy, training_curves

STARTS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("kind", STARTS)
def test_saved_by_ending_and_the_same_again(tmp_path, kind):
    first, again = (
        save(
            training_curves(make_rows(), no_binding_ceiling=0.38),
            tmp_path / name / f"curves.{kind}",
            dpi=60,
        )
        for name in ("a", "b")
    )
    assert first.read_bytes().startswith(STARTS[kind])
    assert first.read_bytes() == again.read_bytes()
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_resolution_is_as_asked(tmp_path):
    path = save(slot_accuracy([0.5]), tmp_path / "slots.PNG", dpi=50)
    with Image.open(path) as picture:
        assert picture.size == (170, 110)


def test_replaced_in_one_move(tmp_path, monkeypatch):
    path = save(slot_accuracy([0.5]), tmp_path / "slots.png", dpi=40)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*slots\.png: the disk is full"):
        save(slot_accuracy([1.0]), path, dpi=40)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["slots.jpeg", "slots", "slots.gif"])
def test_other_kinds_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="accepted: pdf, png, svg"):
        save(slot_accuracy([0.5]), tmp_path / name)
    with pytest.raises(UserError, match="accepted: gif"):
        animate(make_trace(), SYMBOLS, tmp_path / "memory.png")


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save(slot_accuracy([0.5]), tmp_path / "file" / "slots.png")


def test_users_style_neither_shows_nor_changes(tmp_path):
    def settings():
        # Asking for the backend would make matplotlib choose one.
        return {
            name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"
        }

    plain = save(slot_accuracy([0.5]), tmp_path / "plain.png", dpi=40).read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "savefig.dpi": 10}):
        mine = settings()
        own = save(slot_accuracy([0.5]), tmp_path / "own.png", dpi=40).read_bytes()
        assert settings() == mine
    assert own == plain


@pytest.mark.parametrize("signed", [False, True])
def test_animation_has_a_frame_a_step_loops_and_rests_at_the_end(tmp_path, signed):
    path = animate(make_trace(signed=signed), SYMBOLS, tmp_path / "memory.gif", answer="1 (99 %)")
    assert path.stat().st_size < 1_000_000
    with Image.open(path) as film:
        assert film.n_frames == len(SYMBOLS) and film.info["loop"] == 0
        frames, durations = [], []
        for step in range(film.n_frames):
            film.seek(step)
            durations.append(film.info["duration"])
            frames.append(np.asarray(film.convert("RGB")))
    assert durations[:-1] == [600] * 6 and durations[-1] > 2000
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    assert (frames[0][0, 0] == 255).all()  # paper stays white


def test_answer_appears_with_the_last_step_alone(tmp_path):
    def film(name, answer):
        path = animate(make_trace(), SYMBOLS, tmp_path / name, answer=answer, dpi=60)
        with Image.open(path) as opened:
            for step in range(opened.n_frames):
                opened.seek(step)
                yield np.asarray(opened.convert("RGB"))

    pairs = zip(film("with.gif", "9"), film("without.gif", None), strict=True)
    assert [bool((a != b).any()) for a, b in pairs] == [False] * 6 + [True]


def test_animation_without_attention_and_of_steps_left_out(tmp_path):
    trace = make_trace()
    silent = trace._replace(read_weights=None)
    assert animate(silent, SYMBOLS, tmp_path / "memory.gif", dpi=40).exists()
    partial = trace._replace(memory=trace.memory[:, :2], memory_steps=(0, 1))
    with pytest.raises(UserError, match="every step"):
        animate(partial, SYMBOLS, tmp_path / "partial.gif")
    assert not (tmp_path / "partial.gif").exists()


def test_long_sequences_go_faster(tmp_path):
    symbols = "a1b2c" * 5
    path = animate(make_trace(symbols, hidden=4), symbols, tmp_path / "long.gif", dpi=30)
    with Image.open(path) as film:
        assert film.info["duration"] == 480 and film.n_frames == 25


def test_rooms_rules(tmp_path):
    """No pyplot, no cost to `import fastweights`, and a clear line where matplotlib is missing."""
    script = (
        "import sys, fastweights; assert 'matplotlib' not in sys.modules;"
        "from fastweights import figures;"
        f"figures.save(figures.slot_accuracy([0.5]), {str(tmp_path / 'slots.png')!r}, dpi=40);"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "assert 'fastweights.runs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from fastweights.errors import UserError\n"
        "try: import fastweights.figures\n"
        "except UserError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == 'figures need matplotlib: pip install "fastweights[viz]"'


def drawings():
    rows, trace = make_rows(), make_trace()
    cell = {"model": "lstm", "hidden": 20, "value": 1.0, "mode": "R=20, fresh"}
    norms = {"LN": [1.0] * len(SYMBOLS)}
    yield figures.training_curves(rows, title="A run")
    yield figures.comparison({"a": [rows], "b": [rows]}, title="A run")
    yield figures.slot_accuracy([0.5, 0.6], title="A run")
    long = {f"fast-weights, layer norm {n}": [0.5] for n in (True, False)}
    yield figures.slot_accuracy(long, title="A run")
    yield figures.memory_evolution(trace, SYMBOLS, title="A run")
    yield figures.hidden_trace(trace, SYMBOLS, title="A run")
    yield figures.attention(trace, SYMBOLS, title="A run")
    yield figures.saturation({"LN": trace}, norms, title="A run")
    yield figures.error_table([cell], title="A run")
    result = cell | {"metric": "accuracy", "sd": None, "seeds": 1, "paper": None}
    yield figures.mode_table([result], title="A run")
    streams = [row | {"perplexity": 1 + row["cross_entropy"]} for row in rows]
    yield figures.stream_curves({"a": [streams], "b": [streams]}, title="A run")
    yield figures.task_accuracy([0.9, 1.0], [1, 2], title="A run")
    yield figures.read_grid(trace.read_weights[0, -1], list(SYMBOLS), answer="1", title="A run")


def test_titles_are_drawn_once_and_hide_nothing():
    for figure in drawings():
        figure.draw_without_rendering()
        legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
        entries = [text for legend in legends for text in legend.get_texts()]
        titles = [text for text in figure.findobj(Text) if text.get_text() == "A run"]
        assert len(titles) == 1
        area = titles[0].get_window_extent()
        panels = [axes.bbox for axes in figure.axes]
        others = [text.get_window_extent() for text in entries] + panels
        assert not any(area.overlaps(other) for other in others)
        for text in [*entries, titles[0]]:
            whole = text.get_window_extent()
            assert figure.bbox.x0 <= whole.x0 and whole.x1 <= figure.bbox.x1
