"""Which backend runs each op here and why, and whether its kernels agree with the reference on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights import ops
from fastweights.errors import Unavailable, UserError

LIMIT = 1e-3
"""Largest relative error, by the norm of what differs: float32 stays below a tenth of it, plain TF32 does not."""
READS = 3

Draw = Callable[..., Tensor]


class Shape(NamedTuple):
    """How large a form is run: rows of the batch, steps, features of every factor."""

    rows: int = 2
    time: int = 40
    size: int = 8


SMALL = Shape()


class Finding(NamedTuple):
    """What holds of one form of an op on one kind of device.

    Attributes:
        op, form, device: what is looked at.
        backend: what "auto" runs.
        passed_over: why it does not run each faster backend, by name.
        errors: of each backend with kernels that runs here, asked for or not, against the reference in float64: the
            largest relative error of results and gradients. None: it failed.
        seconds: that this took.
    """

    op: str
    form: str
    device: str
    backend: str
    passed_over: dict[str, str]
    errors: dict[str, float | None]
    seconds: float

    @property
    def healthy(self) -> bool:
        """Whether all kernels that run here are right."""
        return all(error is not None and error <= LIMIT for error in self.errors.values())


class Form(NamedTuple):
    """One form of an op.

    Attributes:
        op, name: the op, and what a user calls the form.
        facts: as the op's dispatcher takes them.
        run: called with what draws tensors, all leaves, a backend and a shape; returns results.
    """

    op: str
    name: str
    facts: dict[str, object]
    run: Callable[[Draw, str, Shape], tuple[Tensor, ...]]


def examine() -> Iterator[Finding]:
    """Look at every form of every op, on the processor and on each other kind of device that is here.

    Example:
        >>> all(finding.healthy for finding in examine())
        True
    """
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for form in FORMS:
        yield from (_examine(form, device) for device in devices)


def _examine(form: Form, device: str) -> Finding:
    start = time.perf_counter()
    reasons = ops.backend.passed_over(form.op, torch.zeros(1, device=device), **form.facts)
    chosen = next(name for name, reason in reasons.items() if reason is None)
    faster = list(reasons)[: list(reasons).index(chosen)]
    errors: dict[str, float | None] = {}
    true = results(form, device, torch.float64, "reference")
    for name in reasons:
        if not ops.backend.is_fused(form.op, name):
            continue
        try:
            errors[name] = distance(results(form, device, torch.float32, name), true)
        except UserError:  # it does not run such tensors
            continue
        except (Unavailable, RuntimeError):
            errors[name] = None
    passed_over = {name: reason for name in faster if (reason := reasons[name]) is not None}
    seconds = time.perf_counter() - start
    return Finding(form.op, form.name, device, chosen, passed_over, errors, seconds)


def results(
    form: Form, device: str, dtype: torch.dtype, backend: str, shape: Shape = SMALL
) -> list[Tensor]:
    """Return the results and the gradients of everything drawn, which is the same for every backend."""
    generator, leaves = torch.Generator().manual_seed(0), []

    def draw(*shape: int, scale: float = 1.0) -> Tensor:
        drawn = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        leaves.append(drawn.float().to(device, dtype).requires_grad_())
        return leaves[-1]

    found = form.run(draw, backend, shape)
    torch.stack([x.square().sum() for x in found]).sum().backward()
    return [*(x.detach() for x in found), *(x.grad for x in leaves)]


def distance(found: list[Tensor], true: list[Tensor]) -> float:
    """Return the largest relative error, by the norm of what differs; infinity where a number is not finite."""
    pairs = list(zip(found, true, strict=True))
    if not all(bool(a.isfinite().all()) for a, _ in pairs):
        return float("inf")
    return max(float((a.double() - b).norm() / b.norm()) for a, b in pairs)


def _fast_weight_memory(draw: Draw, backend: str, shape: Shape) -> tuple[Tensor, ...]:
    rows, time, size = shape
    k1, k2, v, n = (draw(rows, time, size, scale=0.5) for _ in range(4))
    retrieved, memory = ops.delta_memory(
        (k1, k2), v, draw(rows, time).sigmoid(), queries=(n, draw(rows, time, READS, size)),
        memory=draw(rows, size, size, size, scale=0.05), gate="norm", backend=backend,
    )  # fmt: skip
    assert retrieved is not None
    return retrieved, memory


def _delta_rule(
    draw: Draw, backend: str, shape: Shape, *, by_feature: bool = False
) -> tuple[Tensor, ...]:
    rows, time, size = shape
    decays = (rows, time, size) if by_feature else (rows, time)
    keys = draw(rows, time, size, scale=size**-0.5)
    retrieved, memory = ops.delta_memory(
        (keys,), draw(rows, time, size), draw(rows, time).sigmoid(), queries=(draw(rows, time, size),),
        memory=draw(rows, size, size), gate=draw(*decays).sigmoid(), read_norm=False, backend=backend,
    )  # fmt: skip
    assert retrieved is not None
    return retrieved, memory


def _fast_weight_rnn(draw: Draw, backend: str, shape: Shape) -> tuple[Tensor, ...]:
    rows, time, size = shape
    gain = draw(size)
    outputs, hidden, memory = ops.fast_weight_rnn(
        draw(rows, time, size), draw(size, size, scale=0.1), decay=0.9, rate=0.5, norm_weight=gain,
        norm_bias=draw(size, scale=0.1), nonlinearity="tanh", backend=backend,
    )  # fmt: skip
    assert hidden is not None and memory is not None
    return outputs, hidden, memory


def _lstm(draw: Draw, backend: str, shape: Shape) -> tuple[Tensor, ...]:
    rows, time, size = shape
    return ops.lstm(draw(rows, time, 4 * size), draw(4 * size, size, scale=0.3), backend=backend)


FORMS = (
    Form(
        "delta_memory",
        "Fast Weight Memory",
        {
            "key_sizes": (SMALL.size, SMALL.size),
            "reads": READS,
            "rule": "delta",
            "gate": "norm",
            "combine": "product",
        },
        _fast_weight_memory,
    ),
    Form(
        "delta_memory",
        "gated delta rule",
        {
            "key_sizes": (SMALL.size,),
            "reads": 1,
            "rule": "delta",
            "gate": "step",
            "combine": "product",
        },
        _delta_rule,
    ),
    Form(
        "delta_memory",
        "delta rule, a decay for each feature",
        {
            "key_sizes": (SMALL.size,),
            "reads": 1,
            "rule": "delta",
            "gate": "channels",
            "combine": "product",
        },
        partial(_delta_rule, by_feature=True),
    ),
    Form(
        "fast_weight_rnn",
        "fast-weights RNN",
        {"inner_steps": 1, "nonlinearity": "tanh", "form": "inner", "hidden": SMALL.size},
        _fast_weight_rnn,
    ),
    Form("lstm", "LSTM", {}, _lstm),
)
