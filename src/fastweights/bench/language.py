"""Word language models: what a memory adds to a training step of AWD-LSTM, and what a generated word costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fastweights import state as states
from fastweights.bench import agreement, machine, timing
from fastweights.bench.measure import TOLERANCE
from fastweights.errors import UserError
from fastweights.models import SequenceModel, from_config, model_config
from fastweights.nn import LSTM
from fastweights.nn.parts.auxiliary_loss import auxiliary_loss
from fastweights.training.sources.linear_loss import next_word_loss

STEP, GENERATION = "training step", "generated words"
NEAR = 50
"""Words over which the time of one is taken, from the 10th on and up to the last."""
PIECE = 100
"""Words that the teacher-forced pass takes at a time: the logits of all would fill the memory."""
GOALS = {"memory": 1.25, "difference": 1e-5}


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
    """Build "awd-lstm" or "awd-fwm" with the dropouts of Penn Treebank and tied weights.

    Args:
        name: of the backbone.
        shape: its sizes.
        backend: of its LSTMs.
    """
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


def step(name: str, shape: Shape, backend: str = "auto") -> agreement.Variant:
    """Build a training step: cross-entropy of every word, the output's price, clip, Adam, from the state left behind.

    It draws the same dropouts at every call, so that steps of equal networks can be held against each other; it
    returns the loss and the gradients that it stepped by. With the backend "torch" the loss is `torch.nn`'s too.
    """
    model = network(name, shape, backend)
    weights = list(model.parameters())
    optimiser = torch.optim.Adam(weights, lr=1e-3, weight_decay=1.2e-6)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(shape.words, (shape.batch, shape.time + 1), generator=generator)
    state: Any = None

    def call() -> tuple[Tensor, ...]:
        nonlocal state
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


def products(shape: Shape) -> Callable[[], None]:
    """Build the machine's limit: the same products and nothing else, all steps of a recurrence at once."""
    steps = shape.batch * shape.time
    operands = [
        (torch.randn(steps, into), torch.randn(into, out), torch.randn(steps, out))
        for into, out in sizes(shape)
    ]

    def call() -> None:
        for x, weight, gradient in operands:
            torch.mm(x, weight)
            torch.mm(gradient, weight.t())
            torch.mm(x.t(), gradient)

    return call


def measure_step(shape: Shape, repeats: int) -> dict[str, Any]:
    """Time a step with and without the memory, beside `torch.nn`'s LSTMs and the machine's limit.

    Returns:
        A row: `milliseconds` and `spread` by variant ("awd-fwm", "awd-lstm", "torch", "products"), `refused`
        ("torch" if it computes another thing), `error` (of "torch"), `memory` (awd-fwm ÷ awd-lstm), `gflops`.
    """
    ours, torchs = step("awd-lstm", shape), step("awd-lstm", shape, "torch")
    error = agreement.errors({"awd-lstm": ours, "torch": torchs}, "torch")["awd-lstm"]
    calls: dict[str, Callable[[], object]] = {
        "awd-lstm": ours,
        "awd-fwm": step("awd-fwm", shape),
        "torch": torchs,
        "products": products(shape),
    }
    refused = [] if error <= TOLERANCE else ["torch"]
    timings = timing.side_by_side(
        {name: call for name, call in calls.items() if name not in refused}, rounds=repeats
    )
    milliseconds = {name: 1e3 * found.median for name, found in timings.items()}
    return {
        "group": STEP,
        "milliseconds": milliseconds,
        "spread": {name: found.spread for name, found in timings.items()},
        "error": error,
        "refused": refused,
        "memory": milliseconds["awd-fwm"] / milliseconds["awd-lstm"],
        "goal": GOALS["memory"],
        "gflops": flops(shape) / milliseconds["awd-lstm"] / 1e6,
    }


@torch.inference_mode()
def measure_generation(shape: Shape, words: int) -> dict[str, Any]:
    """Time the words that AWD-FWM generates one by one, and hold their logits against a teacher-forced pass.

    Returns:
        A row: `words`, `milliseconds` a word near the 10th ("first") and the last ("last"), `state` (its numbers,
        after the first word and the last), `difference` (the largest between logits).
    """
    model = network("awd-fwm", shape).eval()
    text = torch.randint(shape.words, (1, words), generator=torch.Generator().manual_seed(0))
    seconds: list[float] = []
    difference, stepped, forced = 0.0, None, None
    counts: list[int] = []
    for piece in text.split(PIECE, 1):
        logits = []
        for word in piece.unbind(1):
            start = time.perf_counter()
            found, stepped = model.step(word, stepped)
            seconds.append(time.perf_counter() - start)
            logits.append(found)
        counts.append(sum(part.numel() for part in states.tensors(stepped)))
        expected, forced = model(piece, forced)
        gap = (torch.stack(logits, 1) - expected).abs().max().item()
        difference = max(difference, gap)
    first = seconds[10 : 10 + NEAR] or seconds
    return {
        "group": GENERATION,
        "words": words,
        "milliseconds": {
            "first": 1e3 * statistics.median(first),
            "last": 1e3 * statistics.median(seconds[-NEAR:]),
        },
        "state": [counts[0], counts[-1]],
        "difference": difference,
        "goal": GOALS["difference"],
    }


def run(
    shapes: Sequence[tuple[int, int, int, int, int]] = (PAPER, SMALL),
    *,
    words: int = 10_000,
    threads: int = 1,
    repeats: int = 7,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure training steps and generated words at every shape, in float32.

    Args:
        shapes: (batch, time, words, embedding, hidden) each; the published one and a small one.
        words: how many are generated.
        threads: threads of torch and of the fused ops.
        repeats: rounds of measurement; every variant is measured once in each.
        progress: called with a line before each measurement.

    Returns:
        A row for each measurement of each shape: `benchmark`, `case`, `shape`, `machine`, and what `measure_step` or
        `measure_generation` says of it.

    Raises:
        UserError: for sizes, words, threads or repeats below 1.
    """
    chosen = [Shape(*shape) for shape in shapes]
    for shape in chosen:
        if min(*shape, words) < 1:
            raise UserError(f"sizes and words must be at least 1, not {tuple(shape)} and {words}")
    rows: list[dict[str, Any]] = []
    with timing.quiet(threads):
        here = machine.describe(threads)
        kinds: Mapping[str, Callable[[Shape], dict[str, Any]]] = {
            STEP: partial(measure_step, repeats=repeats),
            GENERATION: partial(measure_generation, words=words),
        }
        for kind, measure in kinds.items():
            for shape in chosen:
                if progress:
                    progress(f"{kind}: {shape}")
                about = {"benchmark": "language", "case": str(shape), "shape": shape._asdict()}
                rows.append({**about, **measure(shape), "machine": here})
    return rows
