"""An exported folder, which `runs.export` writes: a run to hand on, in the layout of the Hugging Face hub.

    model.safetensors     the weights, by the model's own names
    config.json           that of the run, and under "export" what stands in the file beside it
    result.json, metrics.jsonl   the run's records
    README.md             the model card

Whatever opens a run opens such a folder too; it is never trained on or written into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastweights.errors import UserError
from fastweights.io.plain import read_plain
from fastweights.runs.checkpoint import MODEL, Checkpoint, prefixed

EXPORT = "export"
"""What `config.json` has in an exported folder alone."""

WEIGHTS = "model.safetensors"
DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def read(folder: Path, about: Mapping[str, Any]) -> Checkpoint:
    """Read the weights of an exported folder, in the type that they were trained in.

    Raises:
        UserError: if they are missing, or not as they were written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = folder / WEIGHTS
    try:
        content = read_plain(path, None, links=True)  # in the hub's cache files are links
        weights = load(content)
    except OSError as error:
        hint = _pickled(folder) if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{path} cannot be read: {hint}") from error
    except SafetensorError as error:
        raise UserError(f"{path} is damaged: it is no safetensors file") from error
    if hashlib.sha256(content).hexdigest() != about.get("sha256"):
        raise UserError(f"{path} was changed: it is not the file that config.json describes")
    check_finite(folder, weights)
    dtype = DTYPES.get(str(about.get("trained_dtype")), torch.float32)
    return Checkpoint(int(about["step"]), prefixed(MODEL, cast(weights, dtype)), {})


def _pickled(folder: Path) -> str:
    found = sorted(path.name for path in folder.glob("*") if path.suffix in (".bin", ".pt", ".pth"))
    return (
        f"it is missing, and {found[0]} is a pickle, which is never loaded"
        if found
        else "it is missing"
    )


def dtype_of(weights: Mapping[str, Tensor]) -> str:
    """Return the name of the dtype of weights, as `DTYPES` has it.

    Example:
        >>> dtype_of({"bias": torch.zeros(2)})
        'float32'
    """
    floating = (each.dtype for each in weights.values() if each.is_floating_point())
    return str(next(floating, torch.float32)).removeprefix("torch.")


def cast(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return weights in a dtype; integers stay as they are."""
    return {
        name: each.to(dtype) if each.is_floating_point() else each for name, each in weights.items()
    }


def check_finite(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Raise `UserError` unless all weights are finite numbers."""
    for name, each in weights.items():
        if each.is_floating_point() and not each.isfinite().all():
            raise UserError(
                f"{folder} has weights that are not finite: {name}; accepted: a model of finite numbers, in a "
                "dtype that holds them"
            )
