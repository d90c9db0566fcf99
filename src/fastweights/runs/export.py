"""Write a run as a folder to hand on: see `runs.exported`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastweights.errors import UserError, check_choice
from fastweights.io.atomic import no_folders_left, oserror_as_user_error, write_folder_atomically
from fastweights.io.encode import to_json
from fastweights.runs.checkpoint import MODEL, part
from fastweights.runs.exported import DTYPES, EXPORT, WEIGHTS, cast, check_finite, dtype_of
from fastweights.runs.records import sealed
from fastweights.runs.run import Run


def export(
    run: Run, folder: Path, further: Mapping[str, bytes], dtype: str | None = None
) -> dict[str, Any]:
    """Write a run's newest weights and its records into a new folder.

    Args:
        run: a run with a checkpoint.
        folder: to be made.
        further: other files of it, by name: the model card, a tokenizer.
        dtype: that the weights are stored in, by `exported.DTYPES`; None: as they were trained. They are
            loaded in the type they were trained in.

    Returns:
        what `config.json` says under "export".

    Raises:
        UserError: if the folder exists, the run has no whole checkpoint, or a weight is not a finite number, as it
            is or in the smaller type.
    """
    from safetensors.torch import save

    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder} exists already; accepted: the name of a new folder")
    if EXPORT in run.config:
        raise UserError(f"{run.folder} is an exported model already: copy the folder")
    found = run.load_checkpoint()
    if found is None:
        raise UserError(f"run {run.folder} has no checkpoint yet")
    weights = {name: each.contiguous() for name, each in part(found.tensors, MODEL).items()}
    trained = dtype_of(weights)
    if dtype is not None:
        check_choice("dtype", dtype, DTYPES)
        weights = cast(weights, DTYPES[dtype])
    check_finite(run.folder, weights)
    content = save(weights, {"format": "pt"})
    about = {
        "step": found.step,
        "trained_dtype": trained,
        "dtype": dtype_of(weights),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    contents = {WEIGHTS: content, **further, **_records(run, about)}
    with oserror_as_user_error("make", folder), no_folders_left(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_folder_atomically(folder, contents)
    return about


def _records(run: Run, about: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the run's records without the paths of this machine."""
    plan = run.config.get("plan")
    config = {**run.config, EXPORT: dict(about)}
    if isinstance(plan, dict) and "data_dir" in plan:
        config["plan"] = {**plan, "data_dir": None}
    records = {"config.json": to_json(sealed(config), indent=1)}
    result = run.result()
    if result is not None:
        records["result.json"] = to_json(sealed({**result, "out": run.folder.name}), indent=1)
    rows = run.metrics()
    if rows:
        records["metrics.jsonl"] = b"".join(to_json(sealed(row)) for row in rows)
    return records
