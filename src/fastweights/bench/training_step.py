"""One training step of catbAbI's network: tokens to loss, back, and the optimiser's update of all weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fastweights import state as states
from fastweights.bench import agreement, official
from fastweights.models import SequenceModel
from fastweights.nn import FWMLSTM
from fastweights.training.engine.graphs import replaying

VOCABULARY, HIDDEN, SIZE, READS = 180, 256, 32, 3
THEIR_NAMES = {
    "encoder.weight": "embedding.weight",
    "backbone.lstm.rnn.weight_ih_l0": "rnn.cells.0.lstm.W_ih",
    "backbone.lstm.rnn.weight_hh_l0": "rnn.cells.0.lstm.W_hh",
    "backbone.lstm.rnn.bias_ih_l0": "rnn.cells.0.lstm.bias",
    "backbone.memory.write.weight": "rnn.cells.0.W_write.weight",
    "backbone.memory.write.bias": "rnn.cells.0.W_write.bias",
    "backbone.memory.read.weight": "rnn.cells.0.W_read.weight",
    "backbone.memory.read.bias": "rnn.cells.0.W_read.bias",
    "backbone.memory.out.weight": "rnn.cells.0.linear.weight",
    "backbone.memory.out.bias": "rnn.cells.0.linear.bias",
    "head.weight": "linear.weight",
}
"""The authors' names of our weights."""
FORGETTING = THEIR_NAMES["backbone.lstm.rnn.bias_ih_l0"]


class Shape(NamedTuple):
    """Sizes of a batch; with `asked`, only that share of the steps is read and counts in the loss (QA mode)."""

    batch: int
    time: int
    asked: float | None = None

    def __str__(self) -> str:
        asked = "" if self.asked is None else f", {100 * self.asked:g} % answers"
        return f"training step B{self.batch} T{self.time}{asked}"


def network(memory_backend: str = "auto", lstm_backend: str = "auto") -> SequenceModel:
    """Build the network of the paper's catbAbI experiments: embedding 256, LSTM 256, memory 32³ with 3 reads."""
    torch.manual_seed(0)
    backbone = FWMLSTM(HIDDEN, HIDDEN, SIZE, READS, backend=memory_backend)
    backbone.lstm.backend = lstm_backend
    head = nn.Linear(HIDDEN, VOCABULARY, bias=False)
    return SequenceModel(nn.Embedding(VOCABULARY, HIDDEN), backbone, head)


def variants(
    shape: Shape,
    backends: Mapping[str, tuple[str, str]],
    program: ModuleType | None = None,
    device: str = "cpu",
) -> dict[str, agreement.Variant]:
    """Build one callable for each way to make a step, all from the same weights and on the same tokens.

    Args:
        shape: of the batch.
        backends: by the name of a variant: the backends of the memory and of the LSTM before it.
        program: the authors' module (`official.program`), to have "authors" among the variants.
        device: "cpu" or "cuda".

    Returns:
        By name: a callable that makes a step (Adam, cross-entropy at every token or at the answers) from the state
        that the step before left, and returns the loss and the gradients of the weights.
    """
    tokens, places = _words(shape, device)
    built: dict[str, agreement.Variant] = {}
    for name, pair in backends.items():
        model = network(*pair).to(device)
        weights = [model.get_parameter(name) for name in THEIR_NAMES]
        built[name] = _step(model, weights, tokens, places)
    if program is not None:
        theirs = official.Network(program, VOCABULARY, HIDDEN, SIZE, READS)
        ours = network()
        weights = [theirs.model.get_parameter(name) for name in THEIR_NAMES.values()]
        with torch.no_grad():
            for name, weight in zip(THEIR_NAMES, weights, strict=True):
                weight.copy_(ours.get_parameter(name))
            # Theirs adds 1 to the forget gate at every step; ours has it in the bias from the start.
            theirs.model.get_parameter(FORGETTING)[HIDDEN : 2 * HIDDEN] -= 1
        built["authors"] = _step(theirs, weights, tokens, None)
    return built


def graphed(shape: Shape, backends: tuple[str, str]) -> dict[str, Callable[[], object]]:
    """Build "graph": the same step as a CUDA graph, always from one state."""
    tokens, places = _words(shape, "cuda")
    model = network(*backends).to("cuda")
    step = _step(model, list(model.parameters()), tokens, places, graph=True)
    return {"graph": replaying(step, "cuda")}


def _words(shape: Shape, device: str) -> tuple[Tensor, Tensor | None]:
    """Draw the tokens, and the places of those that are asked for; None: all."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(VOCABULARY, (shape.batch, shape.time + 1), generator=generator)
    if shape.asked is None:
        return tokens.to(device), None
    asked = torch.rand(shape.batch, shape.time, generator=generator) < shape.asked
    return tokens.to(device), asked.flatten().nonzero().squeeze(1).to(device)


def _step(
    model: Callable[..., tuple[Tensor, object]],
    weights: Sequence[Tensor],
    tokens: Tensor,
    places: Tensor | None,
    *,
    graph: bool = False,
) -> agreement.Variant:
    optimiser = torch.optim.Adam(weights, lr=1e-3, capturable=graph)
    state: object = None

    def call() -> tuple[Tensor, ...]:
        nonlocal state
        optimiser.zero_grad()
        targets = tokens[:, 1:].flatten()
        if places is None:
            logits, after = model(tokens[:, :-1], state)
            logits = logits.flatten(0, 1)
        else:
            logits, after = model(tokens[:, :-1], state, places=places)
            targets = targets[places]
        state = states.detach(after)
        loss = nn.functional.cross_entropy(logits, targets)
        loss.backward()
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        optimiser.step()
        return loss, *gradients

    return call
