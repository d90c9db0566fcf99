"""`fastweights plot`: pictures of a run, or of several beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from fastweights.cli.console import print_json, say


@dataclass(frozen=True)
class Plot:
    """Draw a run: training curves, slots, the hidden state, the fast memory, attention. Several runs: compare them.

    Seeds of one recipe are averaged, with their spread. Runs with and without layer normalisation also give the
    figure that shows what it is for. Two language models are also compared word by word on a passage.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    gif: bool = False
    """Animate the fast weights and the hidden state too (one run of retrieval), or an episode (of catch)."""
    sequence: str | None = None
    """Sequence, story, text or number of a test image to look inside with (c9k8j3f1??c); of agents, of an episode."""
    data_dir: Path | None = None
    """Where the data of a catbAbI, glimpses or text run is [default: FASTWEIGHTS_DATA or the cache folder]."""
    out: Path | None = None
    """Folder for the pictures [default: the run's own figures folder; figures/ for several runs]."""
    form: Literal["png", "pdf", "svg"] = "png"
    """Format of the figures."""
    json: bool = False
    """Print the paths as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments.plotting import draw

        paths = draw(
            self.folders,
            out=self.out,
            shown=self.sequence,
            **({} if self.data_dir is None else {"data_dir": self.data_dir}),
            gif=self.gif,
            form=self.form,
            told=lambda name: say(f"drawing {name} …"),
        )
        if self.json:
            print_json({"pictures": [str(path) for path in paths]})
        else:
            for path in paths:
                print(path)
        return 0
