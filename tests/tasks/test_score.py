"""Scores of answers against a plain loop."""

from __future__ import annotations

import math

import pytest
import torch

from fastweights.errors import UserError
from fastweights.tasks import Score


def test_scores_equal_a_plain_loop_however_they_are_added():
    generator = torch.Generator().manual_seed(3)
    tasks = (1, 3, 16)
    logits = torch.randn(60, 7, generator=generator, dtype=torch.float64)
    targets = torch.randint(7, (60,), generator=generator)
    ids = torch.tensor(tasks)[torch.randint(3, (60,), generator=generator)]
    score = Score(tasks)
    for i, j in ((0, 11), (11, 11), (11, 60)):
        score.add(logits[i:j], targets[i:j], ids[i:j])
    found = score.metrics()

    right: dict[int, list[bool]] = {task: [] for task in tasks}
    losses: dict[int, list[float]] = {task: [] for task in tasks}
    for row, target, task in zip(logits.tolist(), targets.tolist(), ids.tolist(), strict=True):
        right[task].append(max(range(7), key=row.__getitem__) == target)
        losses[task].append(math.log(sum(map(math.exp, row))) - row[target])
    every = [hit for hits in right.values() for hit in hits]
    loss = sum(map(sum, losses.values())) / 60
    assert found["answers"] == 60
    assert found["accuracy"] == pytest.approx(sum(every) / 60)
    assert found["cross_entropy"] == pytest.approx(loss)
    assert found["perplexity"] == pytest.approx(math.exp(loss))
    others = right[1] + right[16]
    assert found["accuracy_without_task_3"] == pytest.approx(sum(others) / len(others))
    assert found["per_task_accuracy"] == pytest.approx([sum(h) / len(h) for h in right.values()])
    per_task = [math.exp(sum(v) / len(v)) for v in losses.values()]
    assert found["per_task_perplexity"] == pytest.approx(per_task)


def test_means_over_nothing_are_none():
    score = Score((3, 4))
    score.add(torch.eye(3), torch.arange(3), torch.full((3,), 3))
    found = score.metrics()
    assert found["accuracy_without_task_3"] is None
    assert found["per_task_accuracy"] == [1.0, None] and found["per_task_perplexity"][1] is None


def test_a_perplexity_beyond_a_float_stays_finite():
    score = Score((3,))
    score.add(1e9 * torch.eye(2), torch.tensor([1, 0]), torch.tensor([3, 3]))
    found = score.metrics()
    assert found["cross_entropy"] == pytest.approx(1e9)
    assert found["perplexity"] == found["per_task_perplexity"][0] == pytest.approx(math.exp(700))


def test_slips():
    with pytest.raises(UserError, match="no answers"):
        Score((1, 2)).metrics()
    with pytest.raises(UserError, match="task 5"):
        Score((1, 9)).add(torch.eye(2), torch.arange(2), torch.tensor([1, 5]))
