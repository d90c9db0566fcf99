import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fastweights.training import Supervised
from fastweights.training.engine.probe import gradient_norms
from fastweights.training.engine.seeds import generator


class Asked(NamedTuple):
    tokens: torch.Tensor
    answer: torch.Tensor


class State(NamedTuple):
    hidden: Tensor
    memory: Tensor


class Hebbian(nn.Module):
    """h(t) = tanh(W h + C x + A h), A ← 0.9 A + 0.5 h hᵀ, one step at a time."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.table, self.head = nn.Embedding(5, 3), nn.Linear(3, 4)
        self.recurrent = nn.Linear(3, 3, bias=False)
        self.double()

    def initial_state(self, batch):
        zeros = torch.zeros(batch, 3, dtype=torch.float64)
        return State(zeros, zeros.new_zeros(batch, 3, 3))

    def step(self, token, state):
        hidden, memory = state
        read = torch.einsum("bij,bj->bi", memory, hidden)
        hidden = torch.tanh(self.recurrent(hidden) + self.table(token) + read)
        memory = 0.9 * memory + 0.5 * hidden[:, :, None] * hidden[:, None, :]
        return self.head(hidden), State(hidden, memory)


def test_the_norms_are_those_of_finite_differences():
    model, eps = Hebbian(), 1e-6
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(5, (2, 5), generator=generator)
    answer = torch.randint(4, (2,), generator=generator)

    def losses(row, at, change):
        """The loss of one sequence with A changed after step `at`."""
        state = model.initial_state(1)
        for step in range(5):
            logits, state = model.step(tokens[row : row + 1, step], state)
            if step == at:
                state = state._replace(memory=state.memory + change)
        return F.cross_entropy(logits, answer[row : row + 1]).item()

    square = 0.0
    for row in range(2):
        for at in range(5):
            for place in range(9):
                change = torch.zeros(9, dtype=torch.float64)
                change[place] = eps
                change = change.view(1, 3, 3)
                slope = (losses(row, at, change) - losses(row, at, -change)) / (2 * eps)
                square += slope**2
    fast = math.sqrt(square / 2)

    slope_of_weights = torch.zeros(3, 3, dtype=torch.float64)
    nothing = torch.zeros(1, 3, 3, dtype=torch.float64)
    weight = model.recurrent.weight.data
    for i in range(3):
        for j in range(3):
            for sign in (1, -1):
                weight[i, j] += sign * eps
                total = sum(losses(row, None, nothing) for row in range(2)) / 2
                weight[i, j] -= sign * eps
                slope_of_weights[i, j] += sign * total / (2 * eps)
    norms = gradient_norms(model, tokens, answer)
    assert math.isclose(norms["fast_gradient_norm"], fast, rel_tol=1e-6)
    slow = slope_of_weights.norm().item()
    assert math.isclose(norms["slow_gradient_norm"], slow, rel_tol=1e-6)
    assert fast > 1e-3 and slow > 1e-3
    assert all(weight.grad is None for weight in model.parameters())


def test_a_model_without_fast_weights_has_no_norms():
    class Plain(Hebbian):
        def initial_state(self, batch):
            return (torch.zeros(batch, 3),)

    assert gradient_norms(Plain(), torch.zeros(2, 3, dtype=torch.long), torch.zeros(2).long()) == {}


def test_it_works_where_gradients_are_off():
    tokens, answer = torch.tensor([[0, 1, 2]]), torch.tensor([1])
    with torch.no_grad():
        norms = gradient_norms(Hebbian(), tokens, answer)
    assert norms == gradient_norms(Hebbian(), tokens, answer)


class Lasts:
    """The answer is the last token."""

    def sample(self, count, generator):
        tokens = torch.randint(4, (count, 3), generator=generator)
        return Asked(tokens, tokens[:, -1])

    def inputs(self, batch):
        return batch.tokens

    def metrics(self, logits, batch):
        return {}


def test_a_source_measures_what_it_keeps_for_that_and_nothing_without():
    found = Supervised(Lasts(), probe_size=3).probe(Hebbian())
    kept = Lasts().sample(3, generator(0, "probe"))
    assert found == gradient_norms(Hebbian(), kept.tokens, kept.answer) != {}
    assert Supervised(Lasts(), probe_size=0).probe(Hebbian()) == {}
