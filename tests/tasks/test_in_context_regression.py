"""Points lie on a function of each sequence; ridge regression is the best that can be done, by NumPy's measure too."""

import numpy as np
import pytest
import torch

from fastweights.tasks import InContextRegression


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_points_take_two_steps_and_the_last_y_is_not_shown():
    task = InContextRegression(5, dimensions=3, noise=0.0)
    tokens, answer, asked = task.sample(20, generator())
    assert tokens.shape == (20, 9, 4) and asked.tolist() == [[True, False] * 4 + [True]] * 20
    assert float(tokens[:, ::2, -1].abs().max()) == 0 == float(tokens[:, 1::2, :-1].abs().max())
    assert torch.equal(tokens[:, 1::2, -1], answer[:, :-2:2])
    for row in range(20):  # three points decide, the other two agree
        x, y = tokens[row, ::2, :-1].double().numpy(), answer[row, ::2].double().numpy()
        weights = np.linalg.solve(x[:3], y[:3])
        np.testing.assert_allclose(x[3:] @ weights, y[3:], atol=2e-4)


def test_y_has_the_variance_that_is_stated():
    task = InContextRegression(4, dimensions=6, noise=0.5)
    answer = task.sample(60_000, generator()).answer[:, ::2]
    assert float(answer.var()) == pytest.approx(task.chance, rel=0.02)
    assert float(answer.square().mean()) == pytest.approx(1.25, rel=0.02)


@pytest.mark.parametrize(("dimensions", "noise"), [(1, 0.3), (4, 0.1), (3, 1.0)])
def test_ridge_is_least_squares_with_a_row_more_for_each_weight(dimensions, noise):
    task = InContextRegression(7, dimensions=dimensions, noise=noise)
    batch = task.sample(5, generator())
    found = task.ridge(batch).numpy()
    for row in range(5):
        x, y = batch.tokens[row, ::2, :-1].double().numpy(), batch.answer[row, ::2].double().numpy()
        for seen in range(7):
            penalty = np.sqrt(dimensions) * noise * np.eye(dimensions)
            rows, values = np.vstack([x[:seen], penalty]), np.append(y[:seen], [0] * dimensions)
            weights = np.linalg.lstsq(rows, values, rcond=None)[0]
            assert found[row, seen] == pytest.approx(x[seen] @ weights, abs=1e-9)


def test_no_other_penalty_errs_less():
    task = InContextRegression(6, dimensions=4, noise=0.7)
    batch = task.sample(20_000, generator())

    def error(noise: float) -> float:
        other = InContextRegression(6, dimensions=4, noise=noise)
        return float((other.ridge(batch) - batch.answer[:, ::2]).square().mean())

    best = error(0.7)
    assert all(error(noise) > best for noise in (0.0, 0.35, 1.4))
    assert task.best_possible < best < task.chance


def test_errors_are_squares():
    task = InContextRegression(2)
    batch = task.sample(3, generator())
    outputs = batch.answer[batch.asked][:, None] + torch.tensor([1.0, -2.0, 0, 0, 0, 3.0])[:, None]
    torch.testing.assert_close(
        task.losses(outputs, batch), torch.tensor([1.0, 4, 0, 0, 0, 9]), atol=1e-5, rtol=0
    )
