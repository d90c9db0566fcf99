"""`fastweights data make babi`: bAbI's stories made by their rules, as files in the release's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from fastweights.cli.console import print_json


@dataclass(frozen=True)
class DataMake:
    """Make stories of bAbI's 20 tasks by the rules of the release v1.2, and write them in its layout and form.

    Nothing is fetched. The same options give the same files to the bit, on every machine. No sentences of a train story
    are those of a validation or test story, whatever the seeds.
    """

    out: Path
    """A new folder, for `en-valid-10k/qa1_train.txt` and so on; `--data-dir` takes it."""
    name: tyro.conf.Positional[str] = "babi"
    """Which data set: babi."""
    stories: int | None = None
    """Train stories of each task; the other splits have as many as the release, but no more than that [default: as the
    release, 56,396 in all]."""
    seed: int = 0
    """Of the stories."""
    tasks: tuple[int, ...] | None = None
    """Tasks, 1 to 20 [default: all]."""
    names: Literal["release", "any", "held-out"] = "release"
    """Tasks 1-3 and 5-14: each task's own names, any of all tasks', or some in test stories alone."""
    window: int = 5
    """Tasks 1-3 and 5-14 ask about one of the last so many clauses."""
    questions: int | None = None
    """Questions of a story of tasks 1-3, 5-15, 17 and 18 [default: as the release]."""
    people: int = 4
    """People of a story of tasks 1-3 and 5-14."""
    things: int = 3
    """Things of a story of tasks 2, 3 and 5-8."""
    jobs: int = 1
    """Processes side by side."""
    json: bool = False
    """Print the result as one JSON object."""

    def run(self) -> int:
        from fastweights.data.babi import ALL_TASKS
        from fastweights.errors import check_choice, check_seed
        from fastweights.experiments.terminal import progress_bar
        from fastweights.tasks.babi import files
        from fastweights.tasks.babi.story import Options
        from fastweights.tasks.babi.telling import Lengths

        check_choice("data set", self.name, ["babi"])
        check_seed(self.seed)
        tasks = ALL_TASKS if self.tasks is None else self.tasks
        lengths = Lengths(self.questions, self.window)
        options = Options(self.names, lengths, self.people, self.things)
        options.check(tasks)
        total = sum(sum(by.values()) for by in files.counts(self.stories, tasks).values())
        with progress_bar("bAbI", "stories", total) as on_progress:
            made = files.write(
                self.out,
                stories=self.stories,
                seed=self.seed,
                tasks=tasks,
                options=options,
                jobs=self.jobs,
                about=self._words(),
                progress=on_progress,
            )
        if self.json:
            print_json({**made._asdict(), "path": str(made.path), "tasks": sorted(set(tasks))})
        else:
            each = ", ".join(f"{split} {count:,}" for split, count in made.stories.items())
            print(f"bAbI made: {made.path} (stories: {each}; checksum {made.checksum[:16]})")
        return 0

    def _words(self) -> str:
        """Return the options that the stories depend on, for the command to be given again."""
        given = {
            "stories": self.stories,
            "seed": self.seed,
            "tasks": self.tasks and " ".join(map(str, self.tasks)),
            "names": self.names,
            "window": self.window,
            "questions": self.questions,
            "people": self.people if self.people != 4 else None,
            "things": self.things if self.things != 3 else None,
        }
        return " ".join(f"--{name} {value}" for name, value in given.items() if value is not None)
