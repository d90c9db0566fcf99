"""Pictures on disk: whole, the same bytes again, in the house's style whatever the user's own; animations that loop."""

import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from made import SYMBOLS, make_rows, make_trace
from PIL import Image

from fastweights.errors import UserError
from fastweights.figures import animate, memory_evolution, save, slot_accuracy, training_curves

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
    with pytest.raises(UserError, match=r"cannot write .*slots\.png: No space left"):
        save(slot_accuracy([1.0]), path, dpi=40)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["slots.jpeg", "slots", "slots.gif"])
def test_other_kinds_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="Accepted: pdf, png, svg"):
        save(slot_accuracy([0.5]), tmp_path / name)
    with pytest.raises(UserError, match="Accepted: gif"):
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


def test_title_is_drawn():
    assert memory_evolution(make_trace(), SYMBOLS, title="A run").get_suptitle() == "A run"
