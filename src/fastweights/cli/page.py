"""`fastweights page RUN`: a run as one HTML file, which runs it in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fastweights.cli.by_task import by_task
from fastweights.cli.console import print_json
from fastweights.errors import UserError
from fastweights.experiments import registry

_PAGES = {each.name: each.page for each in registry.EXPERIMENTS.values() if each.page}
FOLDER_HELP = (
    f"Run folder. {by_task((name, ', '.join(page.models)) for name, page in _PAGES.items())}."
)


@dataclass(frozen=True)
class Page:
    """Write a run as one HTML file that runs it in a browser: ask it, step through it, look into its memory, break it.

    The file holds the weights and needs neither a server nor a network, on a laptop or a phone.
    """

    folder: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(help=FOLDER_HELP)] = None
    memory: bool = False
    """Show a memory that is written by hand instead, which needs no run: Hebb's rule, the delta rule, product keys."""
    out: Path = Path("page.html")
    """File to write."""
    overwrite: bool = False
    """Replace that file if it exists."""
    precision: Literal["float32", "float16", "int8"] | None = None
    """Numbers that the weights are written in. [default: float16 above 100,000 weights or where it is
    exact, float32 otherwise]"""
    json: bool = False
    """Print path, bytes and precision as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments.page import write_memory, write_run

        if self.memory and (self.folder is not None or self.precision is not None):
            raise UserError("--memory shows no run: leave out the run folder and --precision")
        if self.memory:
            written = write_memory(self.out, overwrite=self.overwrite)
        elif self.folder is None:
            raise UserError("no run given: name a run folder, or add --memory, which needs none")
        else:
            written = write_run(self.folder, self.out, self.precision, overwrite=self.overwrite)
        print_json(written) if self.json else print(written["page"])
        return 0
