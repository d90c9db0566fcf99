"""A training step of a word language model, with and without a memory, beside `torch.nn` and its products alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fastweights import state as states
from fastweights.bench import agreement, timing
from fastweights.bench.measure import TOLERANCE
from fastweights.bench.subject import Row
from fastweights.models import SequenceModel, from_config, model_config
from fastweights.nn import LSTM, FastWeightMemory
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss
from fastweights.training.engine.graphs import replaying
from fastweights.training.sources.linear_loss import next_word_loss

STEP = "training step"
ON_CUDA = "cuda"
"""Backend of the memory on a GPU."""
GOAL = 1.25
"""Times as long as AWD-LSTM's that AWD-FWM's step may take."""


class Shape(NamedTuple):
    """Sizes of a batch and of the network: three LSTMs, embedding → hidden → hidden → embedding."""

    batch: int
    time: int
    words: int
    embedding: int
    hidden: int

    def __str__(self) -> str:
        sizes = f"{self.embedding}→{self.hidden}→{self.hidden}→{self.embedding}"
        return f"{sizes}, {self.words} words, B{self.batch} T{self.time}"


PAPER = Shape(20, 70, 10_000, 400, 1150)
SMALL = Shape(20, 70, 10_000, 200, 400)


def network(name: str, shape: Shape, backend: str = "auto") -> SequenceModel:
    """Build "awd-lstm" or "awd-fwm" with the dropouts of Penn Treebank and tied weights; the backend is its LSTMs'."""
    torch.manual_seed(0)
    model = from_config(
        model_config(
            name,
            input=shape.words,
            hidden=shape.hidden,
            classes=shape.words,
            embedding=shape.embedding,
            tied=True,
            embedding_range=0.25,
            word_dropout=0.1,
            embedding_dropout=0.5,
            options={"recurrent_dropout": 0.66},
        )
    )
    for layer in model.backbone.modules():
        if isinstance(layer, LSTM):
            layer.backend = backend
    return model


def step(
    name: str, shape: Shape, backend: str = "auto", device: str = "cpu", *, graph: bool = False
) -> agreement.Variant:
    """Build a training step from the state left behind: cross-entropy of every word, penalty on outputs, clip, Adam.

    It draws the same dropouts at every call, so that steps of equal networks can be held against each other; it
    returns the loss and the gradients that it stepped by. With the backend "torch" the loss is `torch.nn`'s too. A
    step for a `graph` goes on in the generator instead, which no graph sets.
    """
    model = network(name, shape, backend).to(device)
    for layer in model.modules():
        if device == "cuda" and isinstance(layer, FastWeightMemory):
            layer.backend = ON_CUDA
    weights = list(model.parameters())
    optimiser = torch.optim.Adam(weights, lr=1e-3, weight_decay=1.2e-6, capturable=graph)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(shape.words, (shape.batch, shape.time + 1), generator=generator)
    tokens = tokens.to(device)
    state: object = None

    def call() -> tuple[Tensor, ...]:
        nonlocal state
        if not graph:
            torch.manual_seed(1)
        optimiser.zero_grad()
        if backend == "torch":
            logits, after = model(tokens[:, :-1], state)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        else:
            loss, after = next_word_loss(model, tokens, state)
        state = states.detach(after)
        extra = auxiliary_loss(model)
        assert extra is not None
        loss = loss + extra
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 0.25)
        optimiser.step()
        return loss.detach(), *(weight.grad for weight in weights if weight.grad is not None)

    return call


def sizes(shape: Shape) -> list[tuple[int, int]]:
    """List the features in and out of every matrix that a step of AWD-LSTM multiplies by.

    Example:
        >>> sizes(Shape(batch=2, time=5, words=7, embedding=3, hidden=4))
        [(3, 16), (4, 16), (4, 16), (4, 16), (4, 12), (3, 12), (3, 7)]
    """
    around = [shape.embedding, shape.hidden, shape.hidden, shape.embedding]
    layers = [
        (features, 4 * around[place])
        for place in range(1, 4)
        for features in around[place - 1 : place + 1]
    ]
    return [*layers, (shape.embedding, shape.words)]


def flops(shape: Shape) -> int:
    """Count the floating-point operations of these products, forward and backward.

    Example:
        >>> flops(Shape(batch=2, time=5, words=7, embedding=3, hidden=4)) == 6 * 10 * 345
        True
    """
    return 6 * shape.batch * shape.time * sum(into * out for into, out in sizes(shape))


def products(shape: Shape, device: str = "cpu") -> Callable[[], None]:
    """Build the machine's limit: the same products and nothing else, all steps of a recurrence at once."""
    steps = shape.batch * shape.time
    operands = [
        [torch.randn(size, device=device) for size in ((steps, into), (into, out), (steps, out))]
        for into, out in sizes(shape)
    ]

    def call() -> None:
        for x, weight, gradient in operands:
            torch.mm(x, weight)
            torch.mm(gradient, weight.t())
            torch.mm(x.t(), gradient)

    return call


def measure_step(shape: Shape, repeats: int, device: str = "cpu") -> Row:
    """Time a step with and without the memory, beside `torch.nn`'s LSTMs and the machine's limit.

    Returns:
        A row: `milliseconds` and `spread` by variant ("awd-fwm", "awd-lstm", "torch", "products", on a GPU also
        "graph", awd-fwm's step as one), `refused` ("torch" if it computes another thing), `error` (of "torch"),
        `memory` (awd-fwm ÷ awd-lstm), `gflops`.
    """
    ours, torchs = (step("awd-lstm", shape, backend, device) for backend in ("auto", "torch"))
    error = agreement.errors({"awd-lstm": ours, "torch": torchs}, "torch")["awd-lstm"]
    calls: dict[str, Callable[[], object]] = {
        "awd-lstm": ours,
        "awd-fwm": step("awd-fwm", shape, device=device),
        "torch": torchs,
        "products": products(shape, device),
    }
    if device == "cuda":
        calls["graph"] = replaying(step("awd-fwm", shape, device=device, graph=True), device)
    refused = [] if error <= TOLERANCE else ["torch"]
    timings = timing.side_by_side(
        {name: call for name, call in calls.items() if name not in refused},
        rounds=repeats,
        device=device,
    )
    milliseconds = {name: 1e3 * found.median for name, found in timings.items()}
    return {
        "group": STEP,
        "milliseconds": milliseconds,
        "spread": {name: found.spread for name, found in timings.items()},
        "error": error,
        "refused": refused,
        "memory": milliseconds["awd-fwm"] / milliseconds["awd-lstm"],
        "goal": GOAL,
        "gflops": flops(shape) / milliseconds["awd-lstm"] / 1e6,
    }
