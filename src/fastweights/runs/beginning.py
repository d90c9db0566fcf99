"""Begin a run such that a command that is refused leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastweights.io.atomic import (
    move,
    no_folders_left,
    oserror_as_user_error,
    remove,
    temporary_name,
)
from fastweights.runs.run import Run


@contextmanager
def begun(
    folder: Path,
    config: Mapping[str, Any],
    *,
    overwrite: bool = False,
    keep: tuple[type[Exception], ...] = (),
) -> Iterator[Run]:
    """Create a run that the block trains; if that fails before there is a checkpoint, nothing is left of it.

    Args:
        folder: of the run.
        config: see `Run.create`.
        overwrite: rename the run in its place meanwhile: removed when the block has done its work, and put back
            otherwise.
        keep: failures that are an outcome too, of which the folder is the record.

    Raises:
        UserError: if the folder cannot be made, or what is to be replaced is no run, or is being written.
    """
    if folder.is_symlink():
        folder = folder.resolve()  # where the run is, not the link, is what is replaced
    with no_folders_left(folder), _in_place(folder, config, overwrite, keep) as run:
        yield run


@contextmanager
def _in_place(
    folder: Path, config: Mapping[str, Any], overwrite: bool, keep: tuple[type[Exception], ...]
) -> Iterator[Run]:
    stood = folder.is_dir() and not overwrite
    previous = _set_aside(folder) if overwrite and folder.exists() else None
    run = None
    try:
        run = Run.create(folder, config)
        yield run
    except BaseException as failure:
        if run is None or not (isinstance(failure, keep) or run.saved_steps()):
            if run is not None or previous is not None:
                remove(folder)
                if stood:
                    folder.mkdir()
            if previous is not None:
                previous.rename(folder)
        elif previous is not None:
            remove(previous)
        raise
    if previous is not None:
        remove(previous)


def _set_aside(folder: Path) -> Path:
    """Rename a run, and nothing but a run, that nobody writes; return where it is."""
    with Run.open(folder).lock:
        pass
    previous = temporary_name(folder)
    with oserror_as_user_error("replace", folder):
        return move(folder, previous)
