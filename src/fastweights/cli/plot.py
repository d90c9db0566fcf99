"""`fastweights plot`: pictures of a run, or of several beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fastweights.cli.by_task import DATA_HELP, by_task
from fastweights.cli.console import print_json, say
from fastweights.experiments import registry

_ALL = registry.EXPERIMENTS.values()
GIF_HELP = f"Animate a single run too. {by_task((each.name, each.animated) for each in _ALL)}"
SEQUENCE_HELP = f"What to look inside with. {by_task((each.name, each.sequence) for each in _ALL)}"
DATA_DIR_HELP = by_task((each.name, DATA_HELP) for each in _ALL if each.has_data)


@dataclass(frozen=True)
class Plot:
    """Draw a run: training curves, slots, the hidden state, the fast memory, attention. Several runs: compare them.

    Runs that differ in the seed alone are averaged, with their spread. Runs with and without layer normalisation also
    give the figure that shows what it is for. Two language models are also compared word by word on a passage.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    gif: Annotated[bool, tyro.conf.arg(help=GIF_HELP)] = False
    sequence: Annotated[str | None, tyro.conf.arg(help=SEQUENCE_HELP)] = None
    data_dir: Annotated[Path | None, tyro.conf.arg(help=DATA_DIR_HELP)] = None
    out: Path | None = None
    """Folder for the pictures. [default: the run's own figures folder; figures/ for several runs]"""
    format: Literal["png", "pdf", "svg"] = "png"
    """Format of the figures."""
    json: bool = False
    """Print the paths as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments.plotting import draw

        paths = draw(
            self.folders,
            out=self.out,
            sequence=self.sequence,
            data_dir=self.data_dir,
            gif=self.gif,
            format=self.format,
            on_progress=lambda name: say(f"drawing {name} …"),
        )
        if self.json:
            print_json({"pictures": [str(path) for path in paths]})
        else:
            for path in paths:
                print(path)
        return 0
