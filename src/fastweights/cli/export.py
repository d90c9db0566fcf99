"""`fastweights export`: a run as a folder to hand on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from fastweights.cli.console import print_json


@dataclass(frozen=True)
class Export:
    """Write a run's weights, configuration, records, tokenizer and a model card into one folder, as the hub has them.

    The weights are safetensors. `fastweights.load`, `test` and `plot` take the folder as they take a run, also from the
    Hugging Face hub by its name there. Its figures are those that the run recorded.
    """

    folder: tyro.conf.Positional[Path]
    """Run folder."""
    out: Path
    """A new folder."""
    dtype: str | None = None
    """Store the weights in float16, bfloat16 or float32; they are loaded in the type they were trained in.
    [default: that type]"""
    json: bool = False
    """Print what was written as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments.exporting import export

        written = export(self.folder, self.out, self.dtype)
        if self.json:
            print_json(written)
        else:
            print(
                f"{written['out']}: {written['model']}, {written['bytes']:,} bytes of weights in {written['dtype']}"
            )
        return 0
