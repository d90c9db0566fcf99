"""Pictures of agents: learning curves, an episode as a strip and as a film."""

import numpy as np
import pytest
from made import make_trace
from PIL import Image

from fastweights.errors import UserError
from fastweights.figures import Played, animate_episode, film_strip, reward_curves


def rows(rewards, **more):
    return [{"step": 10 * place, "reward": reward, **more} for place, reward in enumerate(rewards)]


def played(steps=4, visible=2):
    frames = steps + 1
    screens = np.zeros((frames, 5, 5))
    screens[np.arange(frames), np.arange(frames), 2] = 1
    policy = np.full((steps, 3), 0.2)
    policy[:, 0] = 0.6
    taken = [step % 3 for step in range(steps)]
    names = ["left", "stay", "right"]
    return Played(screens, np.arange(frames) < visible, policy, taken, names, -1.0)


def test_curves_are_means_over_frames_with_their_spread():
    runs = {"lstm": [rows([-1, 0, 1]), rows([-1, 1, 1])], "irnn": [rows([-1, -1, 0.5])]}
    figure = reward_curves(runs, frames={"lstm": 10**5, "irnn": 2 * 10**5}, title="Catch")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "frames (million)"
    one, other = axes.lines
    assert one.get_xdata().tolist() == [0, 1, 2] and other.get_xdata().tolist() == [0, 2, 4]
    assert one.get_ydata().tolist() == [-1, 0.5, 1]
    assert one.get_label() == "lstm (2 seeds, ± sd)" and len(axes.collections) == 1


def test_few_frames_are_not_millions():
    (axes,) = reward_curves({"lstm": [rows([-1, 0])]}, frames={"lstm": 60}).axes
    assert axes.get_xlabel() == "frames" and axes.lines[0].get_xdata().tolist() == [0, 600]


def test_levels_are_drawn_in_their_own_panel():
    runs = {"": [rows([-1, 0], train_entropy=1.0)]}
    panels = {"reward": "reward", "train_entropy": "entropy", "train_value_loss": "value"}
    figure = reward_curves(runs, panels=panels, levels={"reward": {"unseen": -0.875}})
    first, second = figure.axes  # no run has a value loss
    assert [len(axes.lines) for axes in (first, second)] == [2, 1]
    assert [text.get_text() for text in first.texts] == ["unseen\n\N{MINUS SIGN}0.875"]
    assert first.get_xlabel() == "update" and second.get_ylabel() == "entropy"


def test_curves_of_nothing_are_refused():
    with pytest.raises(UserError, match="1 to 7 names, not 0"):
        reward_curves({})
    with pytest.raises(UserError, match="share no train_reward"):
        reward_curves({"a": [rows([0, 1])]}, panels={"train_reward": "x"})


def test_a_strip_tells_each_action_and_what_came_of_it():
    figure = film_strip(played(), columns=3, title="an episode")
    told = ["left 60 %", "stay 20 %", "right 20 %", "left 60 %", "reward -1"]
    assert [axes.get_xlabel() for axes in figure.axes] == told
    assert [axes.get_title() for axes in figure.axes] == [f"t = {t}" for t in range(1, 6)]


def test_what_is_not_seen_looks_otherwise():
    images = [axes.images[0] for axes in film_strip(played(visible=3)).axes]
    looks = [tuple(image.cmap(1.0)) for image in images]
    assert looks[0] == looks[2] != looks[3] == looks[4]


@pytest.mark.parametrize("memory", [False, True])
def test_a_film_has_a_picture_for_each_frame(tmp_path, memory):
    trace = make_trace("abcd")
    if not memory:
        trace = trace._replace(memory=None, memory_steps=())
    path = animate_episode(played(), trace, tmp_path / "film.gif", dpi=40)
    with Image.open(path) as film:
        assert film.n_frames == 5
        first = film.convert("RGB").tobytes()
        film.seek(4)
        assert film.convert("RGB").tobytes() != first


def test_a_trace_of_other_steps_is_refused(tmp_path):
    with pytest.raises(UserError, match="the trace has 3 steps, the episode 4"):
        animate_episode(played(), make_trace("abc"), tmp_path / "film.gif")
