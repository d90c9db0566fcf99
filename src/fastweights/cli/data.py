"""`fastweights data get NAME`: fetch a data set and check it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from fastweights.cli.console import print_json
from fastweights.errors import unknown

if TYPE_CHECKING:
    from fastweights.data.fetch import Progress

NAMES = ("babi",)


@dataclass(frozen=True)
class DataGet:
    """Fetch a data set into the folder of data sets, and check every file against the published one.

    `babi`: the 20 bAbI tasks v1.2 of Weston et al. 2015 (16 MB; CC BY 3.0, Facebook, Inc.).
    """

    name: tyro.conf.Positional[str] = "babi"
    """Which data set: babi."""
    data_dir: Path | None = None
    """Folder to put it into [default: FASTWEIGHTS_DATA, or the user's cache folder]."""
    url: str | None = None
    """Fetch the archive from this address instead; file:// addresses work too."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        from fastweights.data import fetch

        if self.name not in NAMES:
            raise unknown("data set", self.name, NAMES)
        addresses = fetch.ADDRESSES if self.url is None else (self.url,)
        with _bar("bAbI") as progress:
            got = fetch.get(self.data_dir, addresses=addresses, progress=progress)
        if self.json:
            print_json({"path": str(got.path), "address": got.address, "files": got.files})
        else:
            came = "was there already" if got.address is None else f"from {got.address}"
            print(f"bAbI v1.2, {got.files} files checked: {got.path} ({came})")
        return 0


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    """Show a bar on stderr while bytes come, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
