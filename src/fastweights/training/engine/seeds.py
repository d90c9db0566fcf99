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
    """Make the CPU generator of one purpose; see `derive`."""
    return torch.Generator().manual_seed(derive(seed, purpose))


@contextmanager
def own_noise(device: torch.device, seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global generators for one purpose and give them back as they were."""
    with untouched(device):
        torch.manual_seed(derive(seed, purpose))
        yield


@contextmanager
def untouched(device: torch.device) -> Iterator[None]:
    """Give torch's global generators back as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield
