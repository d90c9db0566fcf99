"""`fastweights train TASK`: one run, from a recipe to a tested model and its record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastweights.cli.console import print_json, print_table, say
from fastweights.recipes.retrieval import Retrieval


@dataclass(frozen=True)
class TrainRetrieval(Retrieval):
    """Train a model on associative retrieval: `c9k8j3f1??c → 9` (Ba et al. 2016, section 4.1).

    Settings left at None are those that reach the recorded accuracy for the chosen pairs, form and model.
    """

    out: Path | None = None
    """Run folder [default: runs/retrieval-MODEL-n…-h…-s…]."""
    resume: bool = False
    """Continue the run in that folder, exactly as if it had never stopped."""
    overwrite: bool = False
    """Replace a run that stands in that folder."""
    plot: bool = False
    """Draw the run's figures at the end."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        from fastweights.recipes.drawing import draw
        from fastweights.recipes.run import default_folder, train

        names = [field.name for field in dataclasses.fields(Retrieval)]
        recipe = Retrieval(**{name: getattr(self, name) for name in names})
        folder = self.out or default_folder(recipe.resolve())
        outcome = train(recipe, folder, resume=self.resume, overwrite=self.overwrite, progress=True)
        if outcome.interrupted:
            say(
                f"stopped at step {outcome.step}; to go on: fastweights train retrieval --resume --out {folder}"
            )
            return 130
        pictures = (
            draw([folder], gif=True, told=lambda name: say(f"drawing {name} …"))
            if self.plot
            else []
        )
        if self.json:
            print_json(outcome.result)
        else:
            _report(outcome.result, outcome.samples, pictures)
        return 0


def _report(result: dict[str, Any], samples: list[dict[str, Any]], pictures: list[Path]) -> None:
    slots = "  ".join(f"{100 * accuracy:.2f}" for accuracy in result["per_slot_accuracy"])
    seconds = f"{result['train_seconds']:.1f} s (+ {result['compile_seconds']:.1f} s compiling)"
    rows = [
        ("test accuracy", f"{100 * result['test_accuracy']:.3f} %  ({result['test_samples']:,} fresh sequences)"),
        ("by slot, oldest first", f"{slots} %"),
        ("no-binding ceiling", f"{100 * result['no_binding_ceiling']:.2f} %"),
        ("best possible", f"{100 * result['best_possible']:.2f} %"),
        ("training", f"{result['steps']:,} steps in {seconds}"),
        ("backend", f"{result['backend']}, {result['threads']} threads"),
        ("weights", f"{result['parameters']:,}"),
    ]  # fmt: skip
    print_table(f"{result['model']}, {result['pairs']} pairs", ("", ""), rows)
    asked = [
        (row["sequence"], row["answer"], f"{row['probability']:.4f}", row["truth"])
        for row in samples
    ]
    print_table("a few questions", ("sequence", "answer", "probability", "truth"), asked)
    print(f"run: {result['out']}")
    for picture in pictures:
        print(f"picture: {picture}")
