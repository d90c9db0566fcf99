"""`fastweights reproduce`: a published table, made again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from fastweights.cli.console import print_json, print_table, say
from fastweights.errors import UserError

if TYPE_CHECKING:
    from fastweights.experiments.study import Study


@dataclass(frozen=True)
class Reproduce:
    """Make a published table again, cell by cell; `fastweights list` names the studies.

    Finished cells are skipped, so a later call adds what is missing: more seeds, or more time. Ctrl-C leaves
    everything resumable.
    """

    study: tyro.conf.Positional[str]
    """Name of the study."""
    budget: float | None = None
    """Minutes to spend; cut short, the next call goes on [default: until done]."""
    seeds: int | None = None
    """Seeds for every cell [default: each cell's own]."""
    only: str = "*"
    """Run only the cells whose name matches this; * stands for anything."""
    models: tuple[str, ...] = ()
    """Run only cells of these models [default: of all]."""
    modes: tuple[str, ...] = ()
    """catbAbI: run only cells of these modes, qa or lm [default: of both]."""
    minutes: float | None = None
    """Studies at equal time: minutes of training for each run; runs of less time go on [default: the study's]."""
    jobs: int = 1
    """Processes side by side, one thread each."""
    results: Path = Path("results")
    """Folder of the recorded rows."""
    runs: Path = Path("runs")
    """Folder of the runs."""
    json: bool = False
    """Print the rows as one JSON object."""

    def run(self) -> int:
        from fastweights.experiments import registry, report
        from fastweights.experiments.demonstration import Demonstration
        from fastweights.experiments.study import Study

        study = registry.study(self.study)
        report.check(self.results)
        if isinstance(study, Demonstration):
            self._check_untrained()
            rows = study.reproduce(self.results, self.seeds)
        else:
            assert isinstance(study, Study)
            rows = self._train(study)
        written = report.write(self.results)
        if self.json:
            print_json({"study": study.name, "rows": rows, "report": str(written)})
        elif not rows:
            say(f"no row of {study.name} is finished yet: the same command goes on")
        else:
            folder = self.results / study.name
            print_table(
                study.title,
                report.columns(rows),
                report.cells(rows),
                note=f"recorded in {folder} and {written}",
            )
        return 0

    def _check_untrained(self) -> None:
        """Refuse options of training where nothing is trained."""
        names = ("budget", "only", "models", "modes", "minutes", "jobs")
        for field in dataclasses.fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise UserError(f"{self.study} trains nothing: it has no --{field.name}")

    def _train(self, study: Study) -> list[dict[str, Any]]:
        from fastweights.experiments.reproduce import Progress, reproduce

        def tell(progress: Progress) -> None:
            place = f"[{progress.done}/{progress.total}] {progress.cell}, seed {progress.seed}"
            say(f"{place}: {_outcome(progress.entry)}")

        ledger = reproduce(
            study,
            results=self.results,
            runs=self.runs,
            budget_minutes=self.budget,
            seeds=self.seeds,
            only=self.only,
            models=self.models,
            modes=self.modes,
            minutes=self.minutes,
            jobs=self.jobs,
            show_progress=True,
            on_progress=tell,
        )
        return ledger.current()


def _outcome(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "cut short by the budget, resumable"
    if entry["value"] is None:
        return f"diverged at step {entry['diverged_at']:,}"
    return f"{entry['value']:.4g} in {entry['seconds']:.1f} s"
