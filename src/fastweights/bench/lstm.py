"""`nn.LSTM` on the fused kernels beside `torch.nn.LSTM`: given vectors, given words, and in a whole training step.

On a GPU ours is cuDNN's too, beside the recurrence step by step, and the step is recorded as a graph besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fastweights.bench import agreement
from fastweights.bench.fast_weight_rnn import Shape, checked
from fastweights.bench.measure import Case, Note, measure_all
from fastweights.bench.report import recurrence_table
from fastweights.bench.subject import DEVICE, Bench, Progress, Row, device_of, silent
from fastweights.models import SequenceModel
from fastweights.nn import LSTM, Embedded
from fastweights.ops.flops import lstm as flops
from fastweights.training.engine.graphs import replaying

WORDS = 180  # of catbAbI, from which batches of 200 steps are drawn
SHAPES = tuple(Shape(batch, 200, 256) for batch in (16, 32, 64))
GOALS = {"step": Note(goals={"torch": 1.3})}
BACKENDS = {
    "cpu": {"fused": "cpu", "torch": "torch"},
    "cuda": {"fused": "auto", "torch": "torch", "steps": "reference"},
}


def vectors(shape: Shape, device: str = "cpu") -> dict[str, agreement.Variant]:
    """Build a forward and backward pass of the layer over vectors, for each backend."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, generator=generator).to(device).requires_grad_()
    return _both_ways(shape, lambda: x, x, generator, device)


def words(shape: Shape, device: str = "cpu") -> dict[str, agreement.Variant]:
    """Build a forward and backward pass of the layer over words of a table, for each backend."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(WORDS, shape.hidden, generator=generator).to(device).requires_grad_()
    chosen = torch.randint(WORDS, (shape.batch, shape.time), generator=generator).to(device)
    return _both_ways(shape, lambda: Embedded(chosen, table), table, generator, device)


def _both_ways(
    shape: Shape,
    x: Callable[[], Tensor | Embedded],
    leaf: Tensor,
    generator: torch.Generator,
    device: str,
) -> dict[str, agreement.Variant]:
    given = torch.randn(*shape, generator=generator).to(device)

    def variant(backend: str) -> agreement.Variant:
        torch.manual_seed(0)
        layer = LSTM(shape.hidden, shape.hidden, backend=backend).to(device)
        return agreement.both_ways(lambda: (layer(x())[0],), (leaf, *layer.parameters()), given)

    return {name: variant(backend) for name, backend in BACKENDS[device].items()}


def step(shape: Shape, device: str = "cpu") -> dict[str, agreement.Variant]:
    """Build a training step for each backend: embedding, LSTM, head, cross-entropy, Adam.

    Each returns the loss and the gradients that it stepped by.
    """
    return {name: _step(shape, backend, device) for name, backend in BACKENDS[device].items()}


def _step(shape: Shape, backend: str, device: str, *, graph: bool = False) -> agreement.Variant:
    generator = torch.Generator().manual_seed(0)
    size = (shape.batch, shape.time)
    inputs, targets = (torch.randint(WORDS, size, generator=generator).to(device) for _ in range(2))
    torch.manual_seed(0)
    model = SequenceModel(
        nn.Embedding(WORDS, shape.hidden),
        LSTM(shape.hidden, shape.hidden, backend=backend),
        nn.Linear(shape.hidden, WORDS),
    ).to(device)
    parameters = list(model.parameters())
    optimiser = torch.optim.Adam(parameters, capturable=graph)

    def call() -> tuple[Tensor, ...]:
        logits, _ = model(inputs, need_state=False)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()
        return loss, *gradients

    return call


def graphed(shape: Shape) -> dict[str, Callable[[], object]]:
    """Build "graph": the training step as a CUDA graph."""
    return {"graph": replaying(_step(shape, "auto", "cuda", graph=True), "cuda")}


CASES: Mapping[str, Callable[[Shape, str], dict[str, agreement.Variant]]] = {
    "vectors": vectors,
    "words": words,
    "step": step,
}


def run(
    shapes: Sequence[tuple[int, int, int]] = SHAPES,
    *,
    threads: int = 1,
    repeats: int = 7,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Row]:
    """Measure every case at every shape, forward and backward, float32, input size H.

    Args:
        shapes: (batch, time, hidden) each.
        device: "cpu" (None) or "cuda".
        threads, repeats, progress: as of every `Bench.run`.

    Returns:
        A row for each case of each shape: `kind`, `batch`, `time`, `hidden`, and what `measure` says of it. Of a
        training step, head and optimiser are not counted as work, so its share of the peak is a lower bound.

    Raises:
        UserError: if the fused op cannot run here, or for sizes, threads or repeats below 1.
    """
    where = device_of(device)
    cases = [
        Case(
            f"{shape} {kind}",
            partial(build, shape, where),
            "torch",
            flops(*shape, steps if kind == "vectors" else min(WORDS, steps)),
            GOALS.get(kind, Note()) if where == "cpu" else Note(),
            {"kind": kind, **shape._asdict()},
            f"{shape}, {kind}: forward and backward",
            partial(graphed, shape) if where == "cuda" and kind == "step" else dict,
        )
        for shape in checked(shapes, "lstm", where)
        for steps in (shape.batch * shape.time,)
        for kind, build in CASES.items()
    ]
    return measure_all(
        "lstm", cases, threads=threads, repeats=repeats, progress=progress, device=where
    )


BENCH = Bench(
    "lstm",
    "the LSTM on fused kernels against `torch.nn.LSTM`, alone and in a whole training step.",
    run,
    recurrence_table,
    options=(DEVICE,),
)
