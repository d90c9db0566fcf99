"""Parts of `on_gpu.py`: the block sizes of each op, and a published recipe trained with and without CUDA graphs."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from gpu_calls import Run, calls
from torch import Tensor

from fastweights.ops.delta_memory.cuda.product import plan

SECONDS = 150
"""Of the sweep over blocks, after which no further size is compiled."""
FAR = 1e-2
"""Of results from those of the sizes chosen: an error that is given in place of a time."""
RECIPE_STEPS = 50_000


PRODUCT_SIZES = [(block, *warps) for warps in ((4, 1), (8, 2)) for block in (16, 32, 64)]
RNN_SIZES = ((16, 4), (32, 4), (64, 4), (16, 8), (32, 8), (16, 16))


def product_sizes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Steps of a block, and the warps of parallel and sequential kernels: a name, and functions in place of others."""
    plan_of = plan.plan_of
    for sizes in PRODUCT_SIZES:

        def planned(call: Any, sizes: tuple[int, int, int] = sizes) -> Any:
            block, warps, step_warps = sizes
            return plan_of(call)._replace(block=block, warps=warps, step_warps=step_warps)

        yield "{} steps, {} and {} warps".format(*sizes), {"plan_of": planned}


def vector_sizes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Steps of a chunk."""
    for steps in (16, 32, 64):
        yield f"{steps} steps", {"steps_of": lambda *given, steps=steps: steps}


def rnn_sizes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Steps between copies of A, and the warps of a program."""
    for chunk, warps in RNN_SIZES:
        of = {"chunk_of": lambda size, n=chunk: n, "warps_of": lambda size, n=warps: n}
        yield f"{chunk} steps, {warps} warps", of


OPS = "fastweights.ops."
SIZES = {
    "Fast Weight Memory": (OPS + "delta_memory.cuda.product", product_sizes),
    "gated delta rule": (OPS + "delta_memory.cuda.vector", vector_sizes),
    "fast-weights RNN": (OPS + "fast_weight_rnn.cuda", rnn_sizes),
}
"""By the beginning of a call's name: where its kernels are, and what they are tried with."""


def block_sizes(run: Run) -> Iterator[dict[str, Any]]:
    """Every op over the steps of its blocks and the warps of its programs, forward and backward: one line."""
    found: dict[str, dict[str, Any]] = {}
    end, left_out = time.perf_counter() + SECONDS, 0
    for name, build in calls(run).items():
        package, sizes = next(each for start, each in SIZES.items() if name.startswith(start))
        true = results(build)
        largest = max(float(x.norm()) for x in true)
        row = found[name] = {"chosen": run.milliseconds(build("cuda"), 20, 3)["median"]}
        for label, functions in [*sizes()][: 1 if run.tiny else None]:
            if time.perf_counter() > end:
                left_out += 1
                continue
            with replaced(package, functions):
                try:
                    pairs = zip(results(build), true, strict=True)
                    # Beside the largest: some gradients of these calls are rounding alone.
                    error = max(float((a - b).norm()) for a, b in pairs) / largest
                    call = build("cuda")
                    row[label] = run.milliseconds(call, 20, 3)["median"] if error <= FAR else error
                except Exception as error:
                    row[label] = type(error).__name__
    yield {"milliseconds": found, "left out": left_out}


@contextmanager
def replaced(package: str, functions: dict[str, Any]) -> Iterator[None]:
    """Put functions in the place of those of their names, in every module of a package."""
    modules = [module for name, module in sys.modules.items() if name.startswith(package)]
    with ExitStack() as held:
        for name, other in functions.items():
            places = [module for module in modules if hasattr(module, name)]
            if not places:
                raise LookupError(f"{package} has no {name}")
            for module in places:
                held.enter_context(patch.object(module, name, other))
        yield


def results(build: Callable[[str], Callable[[], Any]]) -> list[Tensor]:
    """Return the results of a call on the same numbers every time."""
    torch.manual_seed(0)
    return [x for x in build("cuda")() if isinstance(x, Tensor)]


def recipe(run: Run) -> Iterator[dict[str, Any]]:
    """Training on catbAbI as the command trains, on generated stories: 50,000 steps, told from a few hundred."""
    for backend, graph in (("cuda", False), ("cuda", True), ("chunked", False)):
        if graph and run.tiny:
            continue
        warm, steps = run.size(50, 2), run.size(350 if backend == "cuda" else 80, 4)
        seconds = train(run, backend, graph, warm, steps)
        row = {"backend": backend, "graph": graph, "milliseconds a step": 1e3 * seconds}
        yield row | {f"minutes of {RECIPE_STEPS} steps": seconds * RECIPE_STEPS / 60}


def train(run: Run, backend: str, graph: bool, warm: int, steps: int) -> float:
    """Return the seconds of a step, without those of the first ones, of evaluations and checkpoints."""
    from fastweights import models
    from fastweights.experiments.catbabi import CATBABI, CatBAbIOptions
    from fastweights.runs import Run as Folder
    from fastweights.training import fit

    small = {"hidden": 8, "embedding": 6, "memory_size": 4, "length": 20, "batch": 2, "tasks": (1,)}
    options = CatBAbIOptions(
        stories="generated", names="any", pool=run.size(200, 3), backend=backend, device=run.device,
        **(small if run.tiny else {}),
    )  # fmt: skip
    plan = CATBABI.plan(options)
    settings = dataclasses.replace(
        plan.engine_settings(), steps=steps, graph=graph, keep=None, checkpoint_seconds=1e9
    )
    torch.manual_seed(0)
    model, source, stamps = models.from_config(plan.model_config()), plan.source(), []

    def stop() -> bool:
        stamps.append(time.perf_counter() if len(stamps) != warm - 1 else synchronised(run))
        return False

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(source, "evaluate", lambda model: {}),
    ):
        fit(model, source, settings, Folder.create(Path(folder) / "run", {}), stop=stop)
        last = synchronised(run)
    return (last - stamps[warm - 1]) / (steps - warm)


def synchronised(run: Run) -> float:
    """Return the time, once the device has done all that it was given."""
    if run.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
