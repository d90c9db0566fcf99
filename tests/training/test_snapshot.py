"""What exact resume is made of, as tensors."""

import torch
from torch import nn

from fastweights.training.engine import snapshot

CPU = torch.device("cpu")


def test_training_on_leaves_alone_what_was_read():
    """It lies in a file's buffer, and another process may begin there again."""
    model = nn.Linear(2, 1)
    optimiser = torch.optim.Adam(model.parameters())

    def step():
        optimiser.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimiser.step()

    step()
    read = {name: x.clone() for name, x in snapshot.capture(model, optimiser, CPU).items()}
    before = {name: x.clone() for name, x in read.items()}
    assert any(name.startswith("optimiser.0.") for name in read)
    snapshot.restore(read, model, optimiser, CPU)
    step()
    assert all(torch.equal(read[name], before[name]) for name in before)
