"""Curves, comparison and bars show the numbers given, in percent where they say so."""

import itertools

import numpy as np
import pytest
from made import make_rows

from fastweights.errors import UserError
from fastweights.figures import comparison, slot_accuracy, training_curves


def lines(axes):
    """The labelled lines of a panel by name; lines of reference have names that begin with _."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_training_curves_show_the_metrics():
    rows = make_rows()
    loss, accuracy, gradient = training_curves(rows, no_binding_ceiling=0.3835).axes
    assert all(axes.get_xlabel() == "training step" for axes in (loss, accuracy, gradient))
    trained = lines(loss)["training"]
    assert trained.get_xdata().tolist() == [10, 20, 30, 40]
    assert trained.get_ydata().tolist() == [row["train_loss"] for row in rows[1:]]
    evaluated = lines(accuracy)["evaluation"].get_ydata()
    np.testing.assert_allclose(evaluated, [100 * row["accuracy"] for row in rows])
    assert "nats" in loss.get_ylabel() and "%" in accuracy.get_ylabel()
    assert lines(gradient)["∂L/∂A(t), one sequence"].get_ydata().tolist() == [
        1.5,
        2.5,
        3.5,
        4.5,
        5.5,
    ]
    assert len(lines(gradient)) == 3


@pytest.mark.parametrize(("ceiling", "best"), [(0.3835, 1.0), (0.55, None), (None, 0.9495)])
def test_lines_of_reference_are_drawn_and_named(ceiling, best):
    rows = make_rows()
    axes = training_curves(rows, no_binding_ceiling=ceiling, best_possible=best).axes[1]
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_label().startswith("_")]
    expected = [100 * value for value in (ceiling, best) if value is not None]
    assert heights == pytest.approx(expected)
    texts = " ".join(text.get_text() for text in axes.texts)
    assert ("no binding\n38.35 %" in texts) == (ceiling == 0.3835)
    assert ("best possible\n94.95 %" in texts) == (best == 0.9495)


def test_loss_scale_follows_the_losses_unless_told():
    wide, narrow = make_rows(), [{"step": s, "train_loss": 2.3 - 0.1 * s} for s in range(9)]
    assert training_curves(wide).axes[0].get_yscale() == "log"
    assert training_curves(narrow).axes[0].get_yscale() == "linear"
    assert training_curves(wide, loss_scale="linear").axes[0].get_yscale() == "linear"
    assert training_curves(narrow, loss_scale="log").axes[0].get_yscale() == "log"
    with pytest.raises(UserError, match="did you mean 'log'"):
        training_curves(wide, loss_scale="logg")


def test_missing_series_leave_no_panel_and_null_leaves_a_gap():
    rows = [{"step": 0, "accuracy": 0.5}, {"step": 1, "accuracy": None}, {"step": 2}]
    (axes,) = training_curves(rows).axes
    drawn = lines(axes)["evaluation"].get_ydata()
    assert drawn[0] == 50 and np.isnan(drawn[1]) and len(drawn) == 2


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [([], "no loss"), ([{"step": 1}], "no loss"), ([{"accuracy": 0.5}], "no step")],
)
def test_nothing_to_draw(rows, complaint):
    with pytest.raises(UserError, match=complaint):
        training_curves(rows)


def test_comparison_shows_mean_and_spread_of_the_seeds():
    seeds = [make_rows(scale) for scale in (0.5, 1.0, 1.5)]
    figure = comparison({"fast weights": seeds, "lstm": [make_rows(0.1)]}, best_possible=1.0)
    accuracy, loss = figure.axes
    values = np.array([[100 * row["accuracy"] for row in rows] for rows in seeds])
    several, single = accuracy.lines[:2]
    np.testing.assert_allclose(several.get_ydata(), values.mean(0))
    assert several.get_label() == "fast weights (3 seeds, ± sd)" and single.get_label() == "lstm"
    (band,) = accuracy.collections
    corners = band.get_paths()[0].vertices
    sd = values.std(0, ddof=1)
    at = {step: corners[corners[:, 0] == step][:, 1] for step in (10, 40)}
    for step, index in ((10, 1), (40, 4)):
        assert at[step].min() == pytest.approx(values.mean(0)[index] - sd[index])
        assert at[step].max() == pytest.approx(values.mean(0)[index] + sd[index])
    # On the logarithmic axis the shade never reaches below the lowest seed.
    lowest = min(row["cross_entropy"] for rows in seeds for row in rows)
    assert loss.get_yscale() == "log"
    assert loss.collections[0].get_paths()[0].vertices[:, 1].min() >= lowest - 1e-12


def test_comparison_takes_the_steps_that_all_seeds_have():
    long, short = make_rows(steps=5), make_rows(steps=3)
    figure = comparison({"model": [long, short]})
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0, 10, 20]


@pytest.mark.parametrize(
    ("runs", "complaint"),
    [
        ({}, "1 to 7 names, not 0"),
        ({str(name): [make_rows()] for name in range(8)}, "not 8"),
        ({"a": [make_rows()], "b": [[{"step": 0}]]}, "share no"),
        ({"a": []}, "share no"),
        ({"a": [[{"step": 0, "accuracy": 0.1}], [{"step": 1, "accuracy": 0.1}]]}, "in common"),
    ],
)
def test_comparison_refuses(runs, complaint):
    with pytest.raises(UserError, match=complaint):
        comparison(runs)


def test_slots_of_one_model():
    axes = slot_accuracy([0.25, 0.5, 1.0], no_binding_ceiling=0.4).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [25, 50, 100]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3"]
    assert axes.get_xlabel() and "%" in axes.get_ylabel()
    assert axes.lines[0].get_ydata()[0] == 40
    numbers = {text.get_text() for text in axes.texts if text.get_text().isdigit()}
    assert numbers == {"25", "50", "100"}


def test_slots_of_several_models_stand_side_by_side():
    figure = slot_accuracy({"a": [0.1, 0.2], "b": [0.3, 0.4]})
    bars = figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([10, 20, 30, 40])
    spans = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars)
    assert all(left[1] <= right[0] + 1e-9 for left, right in itertools.pairwise(spans))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


@pytest.mark.parametrize("accuracies", [[], {}, {"a": [0.1], "b": [0.1, 0.2]}])
def test_slots_refuse(accuracies):
    with pytest.raises(UserError, match="slot accuracies"):
        slot_accuracy(accuracies)
