"""Show on a CUDA device that the kernels are right and how fast they are: one JSON line a part, about ten minutes.

    python scripts/on_gpu.py --out results/gpu/h100.jsonl        # all, from a bare checkout
    python scripts/on_gpu.py --only correct,whole               # some parts
    TRITON_INTERPRET=1 python scripts/on_gpu.py --rehearse       # every part on the processor, at tiny sizes

Parts come in the order in which each is worth having alone: what compiles, what is right, what races, then times. Where
the results are not right, nothing is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from gpu_calls import Run, calls
from gpu_parts import block_sizes, recipe

from fastweights import nn, ops
from fastweights.bench import peers
from fastweights.kernels.triton import ready
from fastweights.kernels.triton.launch import Launch, launch, recording
from fastweights.ops import cuda_kernels, doctor
from fastweights.training.engine.graphs import replaying

LIMITS = {torch.float32: 1e-3, torch.float64: 1e-10}
SWEEP = [(warps, stages) for warps in (1, 2, 4, 8) for stages in (1, 2, 3)]


def machine(run: Run) -> Iterator[dict[str, Any]]:
    """Versions, the device, and what every kernel needs there."""
    query = "name,driver_version,clocks.sm,clocks.max.sm,memory.total"
    shown = None
    if shutil.which("nvidia-smi"):
        words = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        shown = subprocess.run(words, capture_output=True, text=True).stdout.strip()
    versions = {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }
    yield {
        "device": shown,
        "triton": ready.missing() or __import__("triton").__version__,
        **versions,
    }
    if ready.INTERPRETED:
        return
    major, minor = torch.cuda.get_device_capability()
    capability, start = 10 * major + minor, time.perf_counter()
    done = list(cuda_kernels.compile_all([capability], workers=os.cpu_count() or 1))
    spilling = {f"{x.kernel.case}: {x.kernel.label}": x.figures for x in done if x.figures.spilled}
    seconds = time.perf_counter() - start
    yield {"capability": capability, "kernels": len(done), "seconds": seconds, "spilling": spilling}


def correct(run: Run) -> Iterator[dict[str, Any]]:
    """Every form against the reference in float64, twice, with NaN in memory that is not yet written."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    small, large = [(1, 7, 8), (2, 40, 8)], [(3, 300, 20), (64, 200, 32), (8, 2048, 32)]
    shapes = [doctor.Shape(*each) for each in (small if run.tiny else small + large)]
    for form in doctor.FORMS:
        if "cuda" not in ops.backend.names(form.op):
            continue
        for shape in shapes:
            true = doctor.results(form, run.device, torch.float64, "reference", shape)
            for dtype, limit in LIMITS.items():
                if dtype == torch.float64 and shape.size > 8:
                    continue  # without TF32 a large kernel compiles for half a minute
                found, again = (
                    doctor.results(form, run.device, dtype, "cuda", shape) for _ in "ab"
                )
                error = doctor.distance(found, true)
                same = all(torch.equal(a, b) for a, b in zip(found, again, strict=True))
                chunked = doctor.distance(
                    doctor.results(form, run.device, dtype, "chunked", shape), true
                )
                yield {
                    "form": form.name, "rows, time, size": shape, "dtype": str(dtype), "error": error,
                    "chunked": chunked, "same bits twice": same, "right": error <= max(limit, 10 * chunked) and same,
                }  # fmt: skip
    torch.use_deterministic_algorithms(False)


def sanitizer(run: Run) -> Iterator[dict[str, Any]]:
    """Races and stray addresses, in the smallest case of each op."""
    tool = shutil.which("compute-sanitizer")
    if tool is None or run.tiny:
        yield {"skipped": "compute-sanitizer is not on the path" if tool is None else "a rehearsal"}
        return
    for check in ("racecheck", "memcheck"):
        words = [tool, "--tool", check, sys.executable, __file__, "--only", "smallest"]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=300)
        said = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (.*)", ran.stdout + ran.stderr)
        yield {"tool": check, "summary": said, "code": ran.returncode}


def smallest(run: Run) -> Iterator[dict[str, Any]]:
    """The smallest case of each op, for the tools of `sanitizer`."""
    shape = doctor.Shape(rows=1)
    for form in doctor.FORMS:
        if "cuda" in ops.backend.names(form.op):
            doctor.results(form, run.device, torch.float32, "cuda", shape)
            yield {"form": form.name}


def kernels(run: Run) -> Iterator[dict[str, Any]]:
    """Every kernel alone: the choice of warps and stages that replaces tuning at run time."""
    for name, build in calls(run).items():
        call = build("cuda")
        with recording() as started:
            call()
        seen: dict[str, Launch] = {f"{x.kernel.__name__} {x.constants}": x for x in started}
        for each in seen.values():
            times = {}
            for warps, stages in SWEEP[:2] if run.tiny else SWEEP:
                start = partial(
                    launch,
                    each.kernel,
                    each.grid,
                    *each.arguments,
                    warps=warps,
                    stages=stages,
                    **each.constants,
                )
                try:
                    times[f"{warps}w {stages}s"] = run.milliseconds(start, 20, 3)["median"]
                except Exception as error:
                    times[f"{warps}w {stages}s"] = type(error).__name__
            flags = [key for key, value in each.constants.items() if value is True]
            chosen = f"{each.warps}w {each.stages}s"
            yield {
                "call": name,
                "kernel": each.kernel.__name__,
                "flags": flags,
                "chosen": chosen,
                "milliseconds": times,
            }


def whole(run: Run) -> Iterator[dict[str, Any]]:
    """Forward and backward of every op, against plain PyTorch on the same device, and as a CUDA graph."""
    for name, build in calls(run).items():
        row: dict[str, Any] = {"call": name}
        for backend in ("cuda", "chunked"):
            call = build(backend)
            if not run.tiny:
                torch.cuda.reset_peak_memory_stats()
            row[backend] = run.milliseconds(call, *((100, 20) if backend == "cuda" else (5, 2)))
            if not run.tiny:
                row[f"{backend} MiB"] = torch.cuda.max_memory_allocated() / 2**20
        if not run.tiny:
            row["graph"] = run.milliseconds(replaying(build("cuda"), run.device))
        if not run.tiny and name.startswith("gated delta rule"):
            peer = peers.flash("gated delta rule", 64, 2048, 1, int(name.split()[-1]))
            row |= {label: run.milliseconds(call, 100, 20) for label, call in peer.items()}
        yield row


def training(run: Run) -> Iterator[dict[str, Any]]:
    """A training step of the LSTM with a Fast Weight Memory, and the share of the kernels in it."""
    rows, steps, size = run.size(64, 1), run.size(200, 5), run.size(256, 8)
    for backend in ("cuda", "chunked"):
        layer = nn.FWMLSTM(size, size, run.size(32, 4), backend=backend).to(run.device)
        optimiser = torch.optim.Adam(layer.parameters(), capturable=run.device == "cuda")
        x = torch.randn(rows, steps, size, device=run.device)

        def step(layer=layer, optimiser=optimiser, x=x) -> None:
            optimiser.zero_grad(set_to_none=True)
            layer(x)[0].square().mean().backward()
            optimiser.step()

        row = {"backend": backend, "step": run.milliseconds(step, 20, 5)}
        if backend == "cuda" and not run.tiny:
            row["graph"] = run.milliseconds(replaying(step, run.device), 20, 5)
        yield row


PARTS = {
    part.__name__: part
    for part in (
        machine,
        correct,
        sanitizer,
        smallest,
        whole,
        training,
        recipe,
        block_sizes,
        kernels,
    )
}

TIMED = ("whole", "training", "recipe", "block_sizes", "kernels")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="a file that the lines are added to")
    parser.add_argument("--only", default="", help=f"parts, comma-separated: {', '.join(PARTS)}")
    parser.add_argument(
        "--rehearse", action="store_true", help="on the processor, interpreted, at tiny sizes"
    )
    options = parser.parse_args()
    chosen = (
        options.only.split(",") if options.only else [name for name in PARTS if name != "smallest"]
    )
    if set(chosen) - set(PARTS):
        parser.error(f"--only has {options.only}; accepted: {', '.join(PARTS)}")
    if options.rehearse != ready.INTERPRETED:
        parser.error(
            "--rehearse goes with TRITON_INTERPRET=1 in the environment, and without it a device is used"
        )
    if reason := ready.available():
        parser.error(reason)
    warnings.simplefilter("ignore", ops.backend.BackendWarning)
    run, right = Run(ready.DEVICE, options.rehearse), True
    for name in chosen:
        if not right and name in TIMED:
            continue
        start = time.perf_counter()
        try:
            for line in PARTS[name](run):
                right = right and line.get("right", True)
                tell(options.out, {"part": name, **line})
        except Exception as error:
            right = right and name != "correct"
            tell(
                options.out,
                {"part": name, "failed": repr(error), "trace": traceback.format_exc()[-1500:]},
            )
        tell(options.out, {"part": name, "seconds": round(time.perf_counter() - start, 1)})
    return 0 if right else 1


def tell(out: Path | None, line: dict[str, Any]) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("a") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
