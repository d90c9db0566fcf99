"""The run folder: all that is needed to repeat, resume, plot or load a training run."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from fastweights.errors import UserError
from fastweights.io.atomic import (
    clear_temporaries,
    oserror_as_user_error,
    remove,
    write_atomically,
)
from fastweights.io.encode import to_json
from fastweights.io.plain import check_own_folder, open_plain, read_plain
from fastweights.runs import checkpoint, environment, exported
from fastweights.runs.checkpoint import Checkpoint
from fastweights.runs.exported import EXPORT
from fastweights.runs.located import located, pretrained
from fastweights.runs.lock import Lock
from fastweights.runs.records import CHECK, Changed, Recorded, parse, sealed, unsealed

FORMAT = 2
"""The version of `config.json` and the files beside it; a checkpoint has its own."""

_CONFIG = "config.json"
_METRICS = "metrics.jsonl"
_RESULT = "result.json"
_LOCK = ".lock"
_log = logging.getLogger("fastweights.runs")


class Run:
    """A run folder: `config.json`, `metrics.jsonl`, `checkpoint/`, `figures/`, `result.json`.

    Get one from `Run.create` or `Run.open`. Reading needs nothing; whoever writes holds the lock:

        with run.lock:
            run.log({"step": 1, "loss": 2.3})

    Each record is written with a check of itself, `"check"`, which reading takes away again: one that was changed
    since is refused. Runs of versions that wrote none are read as they are.

    Attributes:
        folder: the folder.
        config: what `config.json` says.
        checked: whether `config.json` has a check, and so every other record must.
        lock: taken while writing, so that two processes never write the same run.
    """

    def __init__(self, folder: Path, config: dict[str, Any], *, checked: bool = True) -> None:
        self.folder = folder
        self.config = config
        self.checked = checked
        self.lock = Lock(folder / _LOCK)

    @classmethod
    def create(cls, folder: str | os.PathLike[str], config: Mapping[str, Any]) -> Run:
        """Create a new run folder and write its `config.json`.

        Args:
            folder: must not exist yet, or be empty.
            config: plain JSON values; `versions`, `commit`, `machine` and `format` are added.

        Raises:
            UserError: if the folder exists and is not empty, or cannot be written.
        """
        path = Path(folder)
        with oserror_as_user_error("make", path):
            path.mkdir(parents=True, exist_ok=True)
            _check_empty(path)
        full = {
            **config,
            "format": FORMAT,
            "versions": environment.versions(),
            "commit": environment.commit(),
            "machine": environment.machine(),
        }
        run = cls(path, json.loads(to_json(full)))
        with run.lock:
            _check_empty(path)  # again: another process may have been first
            run.clear_temporaries()
            run._write(_CONFIG, full)
            with oserror_as_user_error("make", run.figures):
                run.figures.mkdir(exist_ok=True)
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """Open a run folder that exists, an exported one, or a model by its name (`runs.located`).

        Raises:
            UserError: if it is not a run folder, is damaged or was changed, or was written by a version of the
                library with another format.
        """
        path = located(folder)
        found = _read_json(path / _CONFIG)
        if found is None:
            raise UserError(
                f"{path} is not a run folder: it has no {_CONFIG}; models by name: {', '.join(pretrained())}"
            )
        written = found.get("format")
        if written is None or "model_type" in found:
            raise UserError(
                f"{path} is no run folder: its {_CONFIG} is of another program (model type {found.get('model_type')})"
            )
        if written != FORMAT:
            raise UserError(
                f"run {path} has format {written!r}, this version of fastweights reads {FORMAT}: train it anew"
            )
        try:
            config = unsealed(found)
        except Changed as change:
            raise UserError(
                f"{path / _CONFIG} was changed: {change}; put it back as it was, or train the run anew"
            ) from None
        return cls(path, Recorded(config, path / _CONFIG), checked=CHECK in found)

    def update_config(self, config: Mapping[str, Any]) -> None:
        """Replace `config.json` of a run that is to go on, and remove the result it had.

        Args:
            config: the old one with what has changed, such as how long the run is to be.

        Raises:
            UserError: if it cannot be written; the old one is untouched.
        """
        with self.lock:
            self._write(_CONFIG, config)
            remove(self.folder / _RESULT)
        self.config = json.loads(to_json(dict(config)))

    @property
    def figures(self) -> Path:
        """The folder for pictures.

        Raises:
            UserError: if a link stands in its place.
        """
        if EXPORT in self.config:
            raise UserError(
                f"{self.folder} is an exported model, which stays as it is: name a folder, --out"
            )
        with oserror_as_user_error("write", self.folder / "figures"):
            return check_own_folder(self.folder / "figures")

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a row to `metrics.jsonl`: plain JSON values, of which `"step"` says when.

        It has reached the system when this returns.

        Raises:
            UserError: if it cannot be written; the rows before it are untouched.
        """
        path = self.folder / _METRICS
        with oserror_as_user_error("write", path), open_plain(path, "ab") as file:
            end = file.tell()
            try:
                file.write(to_json(sealed(row)))
                file.flush()
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise

    def metrics(self) -> list[dict[str, Any]]:
        """Read the rows of `metrics.jsonl`; a last line cut off by a kill is left out.

        Raises:
            UserError: if another line is damaged or was changed, or the steps do not rise.
        """
        path = self.folder / _METRICS
        if not os.path.lexists(path):
            return []
        with oserror_as_user_error("read", path):
            lines = read_plain(path, None, links=True).split(b"\n")
        rows = []
        for number, line in enumerate(lines[:-1], start=1):
            row = parse(line)
            if row is None:
                raise UserError(f"{path} is damaged in line {number}")
            try:
                rows.append(Recorded(unsealed(row, required=self.checked), path))
            except Changed as change:
                raise UserError(f"{path} was changed in line {number}: {change}") from None
            if self.checked and not _rises(rows[-2:]):
                raise UserError(
                    f"{path} was changed in line {number}: its step is not after the last"
                )
        return rows

    def check_rows(self, found: Checkpoint) -> None:
        """Warn if `metrics.jsonl` has other rows up to a checkpoint than when that was written."""
        before = found.meta.get("rows")
        now = sum(step <= found.step for step in _steps(self.metrics()))
        if before is not None and now != before:
            path = self.folder / _METRICS
            _log.warning(
                "%s was changed: %s rows up to step %s, not %s", path, now, found.step, before
            )

    def truncate_metrics(self, step: int) -> None:
        """Drop the rows after `step`, as resuming from the checkpoint of that step needs."""
        kept = [
            row
            for row in self.metrics()
            if isinstance(row.get("step"), int) and row["step"] <= step
        ]
        lines = [to_json(sealed(row)) for row in kept]
        write_atomically(self.folder / _METRICS, b"".join(lines))

    def go_on_from(self, found: Checkpoint) -> int:
        """Drop the rows after a checkpoint; return how many there were when it was written."""
        self.check_rows(found)
        self.truncate_metrics(found.step)
        return found.meta.get("rows", len(self.metrics()))

    def clear_temporaries(self) -> None:
        """Remove what processes that were killed had begun to write into the folder, or in its place."""
        clear_temporaries(self.folder)
        for inside in (self.folder / "checkpoint", self.folder / "figures"):
            if not inside.is_symlink():
                clear_temporaries(inside)
        clear_temporaries(self.folder.absolute().parent, self.folder.name)

    def save_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
    ) -> None:
        """Write the checkpoint of `step`, whole or not at all: see `checkpoint.write`."""
        checkpoint.write(self.folder / "checkpoint", step, tensors, meta)

    def load_checkpoint(self) -> Checkpoint | None:
        """Read the newest whole checkpoint; None if there is none: see `checkpoint.read_newest`, `exported.read`."""
        if EXPORT in self.config:
            return exported.read(self.folder, self.config[EXPORT])
        return checkpoint.read_newest(self.folder / "checkpoint")

    def saved_steps(self) -> list[int]:
        """List the steps that have a checkpoint, oldest first."""
        return checkpoint.saved_steps(self.folder / "checkpoint")

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write `result.json` in one step."""
        self._write(_RESULT, result)

    def result(self) -> dict[str, Any] | None:
        """Read `result.json`; None while the run has no result.

        Raises:
            UserError: if it is damaged or was changed.
        """
        path = self.folder / _RESULT
        found = _read_json(path)
        if found is None:
            return None
        try:
            return Recorded(unsealed(found, required=self.checked), path)
        except Changed as change:
            raise UserError(
                f"{path} was changed: {change}; remove it, and --resume tests the run anew"
            ) from None

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        """Write a record with its check; a run that was begun without checks keeps a config without one."""
        whole = sealed(record) if self.checked or name != _CONFIG else dict(record)
        write_atomically(self.folder / name, to_json(whole, indent=1))


def _rises(rows: Sequence[Mapping[str, Any]]) -> bool:
    steps = _steps(rows)
    return len(steps) < 2 or steps[0] < steps[1]


def _steps(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return [row["step"] for row in rows if isinstance(row.get("step"), int)]


def _check_empty(folder: Path) -> None:
    """Refuse a folder that holds anything but what an interrupted `Run.create` leaves."""
    names = {entry.name for entry in folder.iterdir()}
    if any(name != _LOCK and not name.startswith(f".{_CONFIG}.") for name in names):
        hint = "resume it or use another" if _CONFIG in names else "use another"
        raise UserError(f"folder {folder} exists already and is not empty; {hint}")


def _read_json(path: Path) -> dict[str, Any] | None:
    with oserror_as_user_error("read", path):
        if not os.path.lexists(path):  # a pipe, a folder or a link to nothing is not an absent file
            return None
        content = read_plain(path, None, links=True)
    value = parse(content)
    if value is None:
        raise UserError(f"{path} is damaged: it is not a JSON object")
    return value
