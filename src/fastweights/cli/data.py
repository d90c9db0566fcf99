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

if TYPE_CHECKING:
    from fastweights.data.fetch import Progress


@dataclass(frozen=True)
class DataGet:
    """Fetch a data set into the folder of data sets, and check every file against the published one.

    `babi`: the 20 bAbI tasks v1.2 of Weston et al. 2015 (16 MB; CC BY 3.0, Facebook, Inc.).
    `mnist`: the handwritten digits of LeCun, Cortes and Burges 1998 (four files, 12 MB; CC BY-SA 3.0).
    `ptb`: the Penn Treebank as Mikolov et al. 2010 prepared it (three files, 6 MB; no open licence, for research).
    `wikitext-2`: articles of Wikipedia, Merity et al. 2017 (three files, 13 MB; CC BY-SA 3.0).
    """

    name: tyro.conf.Positional[str] = "babi"
    """Which data set: babi, mnist, ptb or wikitext-2."""
    data_dir: Path | None = None
    """Folder to put it into. [default: FASTWEIGHTS_DATA, or the user's cache folder]"""
    url: str | None = None
    """Fetch from this address instead: of the archive, or of the folder of the files; file:// works too."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        from fastweights.data import fetch
        from fastweights.data.catalogue import CATALOGUE
        from fastweights.errors import check_choice

        check_choice("data set", self.name, CATALOGUE)
        published = CATALOGUE[self.name]
        addresses = None if self.url is None else (self.url,)
        with _bar(published.title) as progress:
            got = fetch.get(published, self.data_dir, addresses=addresses, progress=progress)
        if got.addresses and published.notice:
            print(f"note: {published.notice}", file=sys.stderr)
        if self.json:
            came = {"addresses": list(got.addresses), "files": got.files}
            print_json({"path": str(got.path), **came})
        else:
            places = dict.fromkeys(address.rpartition("/")[0] for address in got.addresses)
            came = f"from {', '.join(places)}" if places else "was there already"
            print(f"{published.title}, {got.files} files checked: {got.path} ({came})")
        return 0


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    """Show a bar on stderr while bytes come; without a terminal a line a tenth."""
    if not sys.stderr.isatty():
        from fastweights.training.engine.progress import Tenths

        tenths = Tenths()

        def tell(done: int, total: int | None) -> None:
            if total and tenths.passed(done / total):
                tenths.tell(done / total, f"{title}: {done / 1e6:.1f} of {total / 1e6:.1f} MB")

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
