"""Curves of language models: perplexity by epoch and minute, the learning rate, the switch to averaged SGD."""

import numpy as np
import pytest

from fastweights.errors import UserError
from fastweights.figures import perplexity_curves


def made(epochs=20, scale=1.0, switch=15, seconds=13.0):
    """Metrics of a run; the first row precedes any training."""
    rows = []
    for epoch in range(epochs + 1):
        value = scale * (60 + 300 * np.exp(-epoch / 3))
        row = {"epoch": float(epoch), "step": 7 * epoch, "seconds": seconds * epoch,
               "validation_perplexity": value if epoch else 1e4,
               "learning_rate": 1e-3 if epoch < switch else 2.0}  # fmt: skip
        rows.append(row | ({"train_cross_entropy": np.log(value / 2)} if epoch else {}))
    return rows


def curves(axes):
    return [line for line in axes.lines if not line.get_label().startswith("_")]


def switches(axes):
    return [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]


def test_one_run_has_training_text_and_learning_rate_too():
    rows = made()
    published = {"awd-fwm": {1: 312.6, 5: 149.7, 50: 76.8}}
    figure = perplexity_curves({"awd-fwm": [rows]}, averaged={"awd-fwm": [15]}, published=published)
    left, right = figure.axes
    validation, training, others = curves(left)
    assert left.get_yscale() == right.get_yscale() == "log"
    expected = [row["validation_perplexity"] for row in rows[1:]]
    np.testing.assert_allclose(validation.get_ydata(), expected)
    np.testing.assert_allclose(training.get_ydata(), np.array(expected) / 2)
    assert validation.get_xdata().tolist() == list(range(1, 21))
    assert others.get_xdata().tolist() == [1, 5] and others.get_label() == "published"
    assert right.lines[0].get_ydata().tolist() == [row["learning_rate"] for row in rows[1:]]
    assert switches(left) == switches(right) == [15]
    assert [text.get_text() for text in left.texts] == ["averaged SGD"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["validation", "training, under dropout", "published"]


def test_several_runs_by_epoch_and_by_minute():
    seeds = [made(), made(18, 1.1, seconds=26.0)]
    averaged = {"awd-fwm": [12, 14.5], "awd-lstm": [13]}
    figure = perplexity_curves({"awd-fwm": seeds, "awd-lstm": [made(scale=2)]}, averaged=averaged)
    for axes, label, last in zip(
        figure.axes, ("epoch", "training time (minutes)"), (18, 5.85), strict=True
    ):
        mean, single = curves(axes)
        assert axes.get_xlabel() == label and axes.get_ylabel() == "validation perplexity"
        assert mean.get_xdata()[-1] == pytest.approx(last)
        rows = [[row["validation_perplexity"] for row in seed[1:19]] for seed in seeds]
        np.testing.assert_allclose(mean.get_ydata(), np.mean(rows, 0))
        assert mean.get_label() == "awd-fwm (2 seeds, ± sd)" and single.get_label() == "awd-lstm"
        assert len(axes.collections) == 1
    assert switches(figure.axes[0]) == [12, 14.5, 13] and switches(figure.axes[1]) == []


@pytest.mark.parametrize("epochs", [1, 2, 11])
def test_a_few_epochs_are_marked(epochs):
    left, right = perplexity_curves({"awd-lstm": [made(epochs)]}).axes
    assert all(line.get_marker() not in ("", "None") for line in (*left.lines, *right.lines))
    assert right.get_yscale() == "linear"
    assert left.get_xlim()[0] == 0 and all(tick == int(tick) for tick in left.get_xticks())


def test_without_learning_rates_there_are_minutes():
    rows = [{"epoch": 1, "seconds": 60, "validation_perplexity": 9.0}]
    assert perplexity_curves({"a": [rows]}).axes[1].get_xlabel() == "training time (minutes)"


@pytest.mark.parametrize(
    ("runs", "options", "complaint"),
    [
        ({}, {}, "1 to 7 names, not 0"),
        ({str(name): [made()] for name in range(8)}, {}, "not 8"),
        ({"a": [made(0)]}, {}, "no validation perplexity after training"),
        ({"a": []}, {}, "no validation perplexity"),
        ({"a": [[{"step": 1, "validation_perplexity": 2.0}]]}, {}, "'a' has no epoch"),
        ({"awd": [made()]}, {"averaged": {"awf": [1]}}, "did you mean 'awd'"),
        ({"a": [made(1), made(2)[2:]]}, {}, "no step of validation_perplexity in common"),
    ],
)
def test_refused(runs, options, complaint):
    with pytest.raises(UserError, match=complaint):
        perplexity_curves(runs, **options)
