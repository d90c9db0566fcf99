"""One seed a run, and from it a stream of random numbers of its own for every purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, purpose: str) -> int:
    """Derive the seed of one purpose: training, evaluation and test never draw the same numbers.

    Example:
        >>> derive(0, "train") == derive(0, "train"), derive(0, "train") == derive(0, "test")
        (True, False)
    """
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return int.from_bytes(digest[:4])


def generator(seed: int, purpose: str) -> torch.Generator:
    """Build the CPU generator of one purpose; see `derive`."""
    return torch.Generator().manual_seed(derive(seed, purpose))


@contextmanager
def seeded_rng(device: torch.device, seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global generators for one purpose; afterwards they are as they were."""
    with fork_rng(device):
        torch.manual_seed(derive(seed, purpose))
        yield


@contextmanager
def fork_rng(device: torch.device) -> Iterator[None]:
    """Leave torch's global generators as they were, whatever is drawn inside."""
    devices = [device] if device.type == "cuda" else []
    before = torch.mps.get_rng_state() if device.type == "mps" else None
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        if before is not None:
            torch.mps.set_rng_state(before)
