"""Checkpoints: a folder each, whole or not there at all, and checked to the last byte when read.

checkpoint/000000500/model.safetensors     the tensors named "model.…": the weights alone
                     training.safetensors  all other tensors
                     meta.json             the step and whatever else exact resume needs
                     SHA256SUMS            of the others; `sha256sum -c SHA256SUMS` checks them
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from fastweights.errors import UserError
from fastweights.runs import files

KEPT = 2
_SUMS = "SHA256SUMS"
_META = "meta.json"
_MODEL = "model.safetensors"
_TRAINING = "training.safetensors"
_PREFIX = "model."
_log = logging.getLogger("fastweights.runs")


class Checkpoint(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        step: training steps done when it was taken.
        tensors: on the CPU, by full name ("model.head.weight", …).
        meta: plain JSON values.
    """

    step: int
    tensors: dict[str, Tensor]
    meta: dict[str, Any]


class Damaged(Exception):
    """A checkpoint folder that is not whole: a file is missing, cut off or changed."""


def write(root: Path, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write the checkpoint of `step` under `root` and keep the newest two up to it.

    It is made under a temporary name, synced and renamed, so a kill at any moment leaves the older
    ones whole.

    Raises:
        UserError: if it cannot be written (full disk, no permission); the older ones are untouched.
    """
    contents = _encode(step, tensors, meta)
    target = root / f"{step:09d}"
    temporary = root / f".{target.name}.{os.getpid()}.tmp"
    replaced = temporary.with_suffix(".old")
    with files.one_clear_line("write", target):
        try:
            root.mkdir(exist_ok=True)
            files.remove(temporary)
            temporary.mkdir()
            for name, content in contents.items():
                files.write_synced(temporary / name, content)
            files.sync_folder(temporary)
            if target.exists():
                target.rename(replaced)
            temporary.rename(target)
            files.sync_folder(root)
        except OSError:
            files.remove(temporary)
            raise
    _prune(root, step)


def read_newest(root: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint under `root`, or None where there is none at all.

    A damaged one is passed over with a warning line.

    Raises:
        UserError: if checkpoints are there but none of them is whole.
    """
    steps = saved_steps(root)
    for step in reversed(steps):
        folder = root / f"{step:09d}"
        try:
            return _read(folder, step)
        except Damaged as damage:
            _log.warning("checkpoint %s is damaged (%s); trying the one before", folder, damage)
    if steps:
        raise UserError(f"no whole checkpoint in {root}: all {len(steps)} of them are damaged")
    return None


def saved_steps(root: Path) -> list[int]:
    """List the steps that have a checkpoint folder, oldest first."""
    if not root.is_dir():
        return []
    return sorted(int(path.name) for path in root.iterdir() if path.name.isdecimal())


def _encode(step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> dict[str, bytes]:
    from safetensors.torch import save

    model: dict[str, Tensor] = {}
    training: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        # A copy each: safetensors refuses tensors that share memory, as tied weights do.
        copy = tensor.detach().to("cpu", copy=True).contiguous()
        if name.startswith(_PREFIX):
            model[name.removeprefix(_PREFIX)] = copy
        else:
            training[name] = copy
    contents = {_MODEL: save(model), _TRAINING: save(training)}
    described = {"step": step, "meta": meta}
    contents[_META] = files.to_json(described, indent=1)
    contents[_SUMS] = _sums(contents)
    return contents


def _sums(contents: Mapping[str, bytes]) -> bytes:
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(contents.items())
    ]
    return "".join(lines).encode()


def _read(folder: Path, step: int) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        sums = (folder / _SUMS).read_bytes()
        # Only the files named there: a file manager may have left one of its own.
        names = [line.partition("  ")[2] for line in sums.decode().split("\n")[:-1]]
        contents = {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise Damaged(error.strerror or str(error)) from error
    except ValueError as error:
        raise Damaged("its list of checksums cannot be read") from error
    if sums != _sums(contents):
        raise Damaged("its checksums do not match")
    try:
        described = json.loads(contents.pop(_META))
        if described["step"] != step:
            raise Damaged("it belongs to another step")
        model = load(contents[_MODEL])
        tensors = {_PREFIX + name: tensor for name, tensor in model.items()}
        tensors |= load(contents[_TRAINING])
    except (KeyError, ValueError, TypeError, SafetensorError) as error:
        raise Damaged("its files cannot be read") from error
    return Checkpoint(step, tensors, described["meta"])


def _prune(root: Path, newest: int) -> None:
    """Keep the newest two up to `newest`; later ones belong to a future that was left behind."""
    steps = saved_steps(root)
    kept = [step for step in steps if step <= newest][-KEPT:]
    for step in set(steps) - set(kept):
        files.remove(root / f"{step:09d}")
    for path in root.glob(".*"):
        files.remove(path)
