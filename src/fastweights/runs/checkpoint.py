"""Checkpoints: a folder each, whole or not there at all, and checked to the last byte when read.

.newest                                    the step of the one written last, so that one that went is missed

checkpoint/000000500/model.safetensors     the part `model`: the weights alone, by the model's own names
                     training.safetensors  all other parts, a tensor's name being "part.name"
                     meta.json             format, step and whatever else exact resume needs
                     SHA256SUMS            of the others; `sha256sum -c SHA256SUMS` checks them
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from fastweights.errors import UserError
from fastweights.io.atomic import (
    oserror_as_user_error,
    remove,
    write_atomically,
    write_folder_atomically,
)
from fastweights.io.encode import to_json
from fastweights.io.plain import check_own_folder, read_plain

FORMAT = 2
"""The version of a checkpoint's files and names, whatever the run folder around it has."""

MODEL = "model"
"""The part that holds the weights a user gets."""

KEPT = 2
_SUMS = "SHA256SUMS"
_META = "meta.json"
_NAME = re.compile(r"\w[\w.-]*")
_MOST_SUMS = 1 << 16
_NEWEST = ".newest"
_MODEL = "model.safetensors"
_TRAINING = "training.safetensors"
_log = logging.getLogger("fastweights.runs")


class Checkpoint(NamedTuple):
    """The contents of a checkpoint.

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

    A kill at any moment leaves the older ones whole. Tensors come by full name, and those named "model.…" get a file of
    their own; `meta` has plain JSON values.

    Raises:
        UserError: if it cannot be written (full disk, no permission); the older ones are untouched.
    """
    contents = _encode(step, tensors, meta)
    with oserror_as_user_error("make", root):
        check_own_folder(root).mkdir(exist_ok=True)
    write_folder_atomically(root / f"{step:09d}", contents)
    write_atomically(root.with_name(_NEWEST), f"{step}\n".encode())
    _prune(root, step)


def read_newest(root: Path) -> Checkpoint | None:
    """Read the newest whole checkpoint under `root`, or None where there is none at all.

    A damaged or missing one is passed over with a warning line.

    Raises:
        UserError: if checkpoints are there, or were, but none of them is whole.
    """
    steps, written = saved_steps(root), _newest_written(root)
    if written is not None and written not in steps:
        if not steps:
            raise UserError(
                f"no whole checkpoint in {root}: that of step {written} is missing; put it back, or train the run anew"
            )
        _log.warning("checkpoint %s is missing; trying the one before", root / f"{written:09d}")
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
    """List the steps that have a checkpoint folder, oldest first.

    Raises:
        UserError: if the folder cannot be read.
    """
    with oserror_as_user_error("read", root):
        if not root.is_dir():
            return []
        return sorted(int(path.name) for path in root.iterdir() if path.name.isdecimal())


def _newest_written(root: Path) -> int | None:
    """Return the step of the checkpoint that was written last; None where it is not known, as of older versions."""
    try:
        said = read_plain(root.with_name(_NEWEST), 64).strip()
    except OSError:
        return None
    return int(said) if said.isdigit() and len(said) < 19 else None


def prefixed(name: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under their names as those of a part: "name.…"."""
    return {f"{name}.{own}": tensor for own, tensor in tensors.items()}


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors of a part by their names in it: what `prefixed` was given; empty where there is no such part.

    Example:
        >>> part({"model.bias": Tensor(2), "random.cpu": Tensor(3)}, "model").keys()
        dict_keys(['bias'])
    """
    start = f"{name}."
    return {
        full.removeprefix(start): tensor
        for full, tensor in tensors.items()
        if full.startswith(start)
    }


def _encode(step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> dict[str, bytes]:
    from safetensors.torch import save

    # A copy each: safetensors refuses tensors that share memory, as tied weights do.
    copies = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    training = {name: copies[name] for name in copies if not name.startswith(f"{MODEL}.")}
    contents = {_MODEL: save(part(copies, MODEL)), _TRAINING: save(training)}
    contents[_META] = to_json({"format": FORMAT, "step": step, "meta": meta}, indent=1)
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
        sums = read_plain(folder / _SUMS, _MOST_SUMS)
        # Only the files named there: a file manager may have left one of its own.
        names = [line.partition("  ")[2] for line in sums.decode().split("\n")[:-1]]
        if foreign := [name for name in names if not _NAME.fullmatch(name)]:
            raise Damaged(f"its list of checksums names {foreign[0]!r}, which is no file of it")
        contents = {name: read_plain(folder / name, None) for name in names}
    except (OSError, MemoryError) as error:
        raise Damaged(getattr(error, "strerror", "") or str(error) or "too large") from error
    except ValueError as error:
        raise Damaged("its list of checksums cannot be read") from error
    if sums != _sums(contents):
        raise Damaged("its checksums do not match")
    try:
        described = json.loads(contents[_META])
        written, recorded, meta = (described.get(key) for key in ("format", "step", "meta"))
        tensors = prefixed(MODEL, load(contents[_MODEL])) | load(contents[_TRAINING])
    except (AttributeError, KeyError, ValueError, RecursionError, SafetensorError) as error:
        raise Damaged("its files cannot be read") from error
    if written != FORMAT:
        raise UserError(
            f"checkpoint {folder} has format {written!r}, this version of fastweights reads {FORMAT}:"
            " train the run anew"
        )
    if recorded != step or meta is None:
        raise Damaged("it belongs to another step")
    return Checkpoint(step, tensors, meta)


def _prune(root: Path, newest: int) -> None:
    """Keep the newest two up to `newest`; later ones belong to a future that was left behind."""
    steps = saved_steps(root)
    kept = [step for step in steps if step <= newest][-KEPT:]
    for step in set(steps) - set(kept):
        remove(root / f"{step:09d}")
    for path in root.glob(".[0-9]*.tmp"):  # what a killed process began
        remove(path)
