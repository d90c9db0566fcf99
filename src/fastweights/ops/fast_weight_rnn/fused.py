"""The door to the fused processor kernels, which are imported when first asked for: Numba is slow to import."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType

from torch import Tensor


@functools.cache
def _kernels() -> ModuleType:
    return importlib.import_module("fastweights.ops.fast_weight_rnn.cpu")


def available() -> str | None:
    """Say why the kernels cannot run on this machine; None if they can."""
    try:
        return _kernels().available()
    except ImportError as error:
        return str(error)


def supports(tensor: Tensor, **facts: object) -> str | None:
    """Say why the kernels cannot run data like this; None if they can."""
    return _kernels().supports(tensor, **facts)


def run(drive: Tensor, recurrent_weight: Tensor, **options) -> Tensor:
    """Return h(1) … h(T); arguments as `fast_weight_rnn` documents them."""
    return _kernels().run(drive, recurrent_weight, **options)
