"""What all tests of sequence models keep: sequences that can be drawn again, scores that are counts, slips refused."""

import pytest
import torch

from fastweights import tasks
from fastweights.errors import UserError
from fastweights.tasks.draws import distinct, weighted
from fastweights.tasks.mad import KINDS
from fastweights.tasks.sequences import mean_score, score_by_step

TASKS = [
    *(tasks.StateTracking(problem, length=9) for problem in ("parity", "modular-arithmetic", "s5")),
    tasks.MQAR(3, length=16, vocabulary=20),
    *(tasks.MAD(kind) for kind in KINDS),
    tasks.SelectiveCopying(3, length=12),
    tasks.InContextRegression(5),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("task", TASKS, ids=repr)
@pytest.mark.parametrize("training", [False, True])
def test_the_same_generator_gives_the_same_sequences(task, training):
    first, again, other = (task.sample(6, generator(s), training=training) for s in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.tokens, other.tokens)
    assert len(first.tokens.flatten(1).unique(dim=0)) > 1
    assert bool(first.asked.any(1).all())
    if training:  # as many answers in every row
        assert len(first.asked.sum(1).unique()) == 1
    assert len(task.sample(0, generator()).asked) == 0
    with pytest.raises(UserError, match="at least 0"):
        task.sample(-1, generator())


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_scores_are_those_of_counting(task):
    batch = task.sample(7, generator())
    asked = int(batch.asked.sum())
    outputs = torch.randn(asked, task.classes, generator=generator(1))
    scores, losses = task.scores(outputs, batch), task.losses(outputs, batch)
    right = batch.answer[task.places(batch)]
    assert scores.shape == losses.shape == right.shape
    rows = outputs.reshape(len(right), -1)
    for row, answer, score, loss in zip(rows, right, scores, losses, strict=True):
        if task.measure == "squared_error":
            assert float(score) == pytest.approx(float((row[0] - answer) ** 2), rel=1e-5)
        else:
            assert score == (row.argmax() == answer)
            assert float(loss) == pytest.approx(float(-row.log_softmax(0)[answer]), rel=1e-4)
    with pytest.raises(UserError, match=rf"shape \[{asked}, {task.classes}\]"):
        task.scores(outputs[:, :-1] if task.classes > 1 else outputs[1:], batch)
    with pytest.raises(UserError, match="no answers"):
        task.losses(outputs[:0], task.sample(0, generator()))


def test_scores_by_step_and_their_mean():
    asked = torch.tensor([[True, False, True], [True, False, False]])
    by_step = score_by_step(torch.tensor([1.0, 0.0, 1.0]), asked)
    assert by_step == [1.0, None, 0.0]
    assert mean_score(by_step, asked.sum(0)) == pytest.approx(2 / 3)
    assert mean_score(by_step, asked.sum(0), first=1) == 0.0


def test_draws_without_repetition_by_weight():
    weights = torch.tensor([4.0, 1.0, 2.0, 1.0])
    first, second = weighted(80_000, 2, weights, generator()).unbind(1)
    counts = torch.bincount(first * 4 + second, minlength=16).view(4, 4)
    for a in range(4):
        for b in range(4):
            expected = 0 if a == b else weights[a] / 8 * weights[b] / (8 - weights[a])
            assert abs(float(counts[a, b]) / 80_000 - float(expected)) < 0.005
    large = distinct(2000, 3, 1000, generator())  # more than a byte holds
    assert int(large.max()) > 990 and bool((large.sort(1).values.diff(dim=1) > 0).all())


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("state-tracking", {"problem": "s6"}, "unknown problem 's6'"),
        ("state-tracking", {"problem": "party"}, "did you mean 'parity'"),
        ("state-tracking", {"length": 0}, "length must be at least 1"),
        ("state-tracking", {"length": 100_001}, "length must be at most 100,000"),
        ("state-tracking", {"length": 1.5}, "length must be a whole number"),
        ("mqar", {"pairs": 0}, "pairs must be at least 1"),
        ("mqar", {"pairs": 4, "length": 15}, "length must be at least 16"),
        ("mqar", {"pairs": 4, "length": 17}, "length must be even"),
        ("mqar", {"pairs": 4, "vocabulary": 8}, "vocabulary must be at least 10"),
        ("mqar", {"pairs": 4, "vocabulary": 11}, "vocabulary must be even"),
        ("mad", {"kind": "memorization"}, "did you mean 'memorisation'"),
        ("mad", {"length": 3}, "length of in-context-recall must be at least 4"),
        ("mad", {"length": 9}, "length of in-context-recall must be even"),
        ("mad", {"kind": "selective-copying", "length": 33}, "must be at least 34"),
        ("mad", {"kind": "noisy-recall", "vocabulary": 19}, "must be at least 20"),
        ("selective-copying", {"copied": 0}, "copied must be at least 1"),
        ("selective-copying", {"copied": 8, "length": 15}, "length must be at least 16"),
        ("selective-copying", {"vocabulary": 2}, "vocabulary must be at least 3"),
        ("in-context-regression", {"points": 0}, "points must be at least 1"),
        ("in-context-regression", {"dimensions": 0}, "dimensions must be at least 1"),
        ("in-context-regression", {"noise": -0.1}, "noise must be finite and not negative"),
        ("in-context-regression", {"noise": float("nan")}, "noise must be finite"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name, options, complaint):
    with pytest.raises(UserError, match=complaint) as refused:
        tasks.build(name, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("state-tracking", {"length": 1}),
        ("mqar", {"pairs": 1, "length": 4, "vocabulary": 4}),
        *(("mad", {"kind": kind, "vocabulary": KINDS[kind].least[0], "length": KINDS[kind].least[1]})
          for kind in KINDS),
        ("selective-copying", {"copied": 1, "length": 2, "vocabulary": 3}),
        ("in-context-regression", {"points": 1, "dimensions": 1, "noise": 0.0}),
    ],
)  # fmt: skip
def test_the_smallest_of_each_can_be_drawn_and_scored(name, options):
    task = tasks.build(name, **options)
    for training in (False, True):
        batch = task.sample(5, generator(), training=training)
        outputs = torch.zeros(int(batch.asked.sum()), task.classes)
        assert len(task.scores(outputs, batch)) == int(task.places(batch).sum()) > 0
    assert eval(repr(task), vars(tasks)).length == task.length
