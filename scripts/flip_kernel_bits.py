"""Flip one random bit in a cached kernel, load it in a process of its own, and count crashes and lasting refusals.

    python scripts/flip_kernel_bits.py 200 --json > results/reliability/kernel_bits.jsonl

The kernels are the fused LSTM's, in a cache of the script's own. Each flip meets two processes, forks of this one that
have loaded no kernel: the first must compute what was computed before, to the bit, and replace the file; the second
must do so from the new file, without replacing it. Exit code 1 if any did not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

import proof


class Ended(NamedTuple):
    """How a process ended: what it computed, as a hash, or "" where it crashed or raised."""

    crashed: bool
    result: str


def computed() -> str:
    """Return a hash of what the fused LSTM computes, forward and backward."""
    import torch

    from fastweights import ops

    torch.manual_seed(0)
    gates, weight = torch.randn(2, 5, 12), torch.randn(12, 3)
    given = gates.requires_grad_(), weight.requires_grad_()
    outputs, hidden, cell = ops.lstm(*given, backend="cpu")
    gradients = torch.autograd.grad(outputs.sum() + hidden.sum() + cell.sum(), given)
    found = torch.cat([each.detach().flatten() for each in (outputs, hidden, cell, *gradients)])
    return hashlib.sha256(found.numpy().tobytes()).hexdigest()


def in_a_fork() -> Ended:
    """Compute in a process of its own, which may crash."""
    receiver, sender = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.write(sender, computed().encode())
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        result = pipe.read().decode()
    _, status = os.waitpid(process, 0)
    return Ended(os.waitstatus_to_exitcode(status) < 0, result)


def flip(path: Path, draw: random.Random) -> None:
    """Flip one bit of a file, as a disk does: in its place."""
    content = bytearray(path.read_bytes())
    bit = draw.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def tried(path: Path, draw: random.Random, right: str) -> str:
    """Flip a bit of a kernel and return what went wrong; "" if nothing did."""
    flip(path, draw)
    flipped = path.stat().st_mtime_ns
    first = in_a_fork()
    replaced = path.stat().st_mtime_ns
    second = in_a_fork()
    if first.crashed or second.crashed:
        return "crash"
    if first.result != right or second.result != right:
        return "other result"
    if replaced == flipped or path.stat().st_mtime_ns != replaced:
        return "lasting refusal"
    return ""


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Flip bits of cached kernels.")
    parser.add_argument("flips", type=int, help="how many, shared among the kernels")
    parser.add_argument("--only", default="", help="kernels whose name has this")
    parser.add_argument("--seed", type=int, default=0, help="of the bits")
    parser.add_argument("--json", action="store_true", help="print a JSON row a kernel")
    return parser.parse_args()


def all_right() -> bool:
    options = parsed()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        import torch

        import fastweights.ops.lstm.cpu.backward
        import fastweights.ops.lstm.cpu.forward  # noqa: F401  (loaded once, before the forks)

        torch.set_num_threads(1)
        draw = random.Random(options.seed)
        right = in_a_fork().result
        kernels = sorted(Path(folder).rglob(f"*{options.only}*.nbc"))
        assert right and kernels, "the fused LSTM does not run here"
        wrong = 0
        for place, path in enumerate(kernels):
            flips = len(range(place, options.flips, len(kernels)))
            found = [tried(path, draw, right) for _ in range(flips)]
            counts = {
                name: found.count(name) for name in ("crash", "other result", "lasting refusal")
            }
            name, bad = path.name.partition("-")[0], sum(counts.values())
            row = {
                "kernel": f"lstm {name}",
                "bytes": path.stat().st_size,
                "flips": flips,
                "seed": options.seed,
            }
            line = f"lstm {name}: {bad} of {flips} flipped bits went wrong"
            proof.report({**row, **counts, "wrong": bad}, line, as_json=options.json)
            wrong += bad
    return wrong == 0


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
