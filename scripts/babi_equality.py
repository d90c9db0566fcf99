"""Compare made bAbI stories with the release v1.2: lengths, forms, answers, within the tolerances stated for each.

    python scripts/babi_equality.py --out results/babi-made
    python scripts/babi_equality.py --tasks 2 7 --stories 500 --json

Against the recorded numbers of the release always, and against the release itself where it is at hand. Exit code 1 if
anything is outside its tolerance.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import babi_measures as measures
import babi_table
import proof

from fastweights.data import babi, babi_files
from fastweights.errors import UserError
from fastweights.tasks.babi import story

SEED = 2015

SHARES = ("test", "valid", *["train"] * 8)
"""A story in ten of test, one of valid: all splits together, as the rules have them."""


INTRODUCTION = f"""# Made stories against the release

`python scripts/babi_equality.py --times 5 --out results/babi-made`, seed {SEED}. The largest difference of each kind
and, in brackets, how much is allowed: words in words a story, shares in points (`first`: stories by the sentences
before their first question; `told`, `asked`: sentences and questions by their form, names taken alike but in task 17;
`answer`: answers), `vocabulary` in words. `table` is what was measured on the release, which needs no download;
`release` are the files themselves (of task 3 the 585 stories at hand). Of both, all splits are taken together.
"""


@dataclasses.dataclass(frozen=True)
class Part:
    """A task compared with one side.

    Attributes:
        task: 1 to 20.
        against: "table" or "release".
        stories: made.
        wrong: what is outside, in words.
        checked: how much was compared.
        worst: the largest difference of each kind, in its unit, with what it may be.
    """

    task: int
    against: str
    stories: int
    checked: int
    wrong: tuple[str, ...]
    worst: Mapping[str, tuple[float, float]]


def compared(
    task: int, against: str, stories: int, made: measures.Measures, other: Mapping[str, float]
) -> Part:
    wrong, worst, checked = [], {}, 0
    for name, is_, right, tolerance in measures.compare(task, made, other):
        checked += 1
        off = abs(is_ - right)
        if off > tolerance + 1e-9:
            wrong.append(f"{name}: {is_:.2f}, not {right:.2f} ± {tolerance:.2f}")
        kind = name.partition(":")[0]
        worst[kind] = max(worst.get(kind, (0.0, tolerance)), (off, tolerance))
    return Part(task, against, stories, checked, tuple(wrong), worst)


def parts(
    tasks: list[int], stories: int | None, times: int, release: babi.Release | None
) -> Iterator[Part]:
    """Yield each task compared with the table, and with the release where it is there."""
    for task in tasks:
        count = stories or times * measures.MORE.get(task, measures.COUNTED)
        stories_made = (story(task, n, seed=SEED, split=SHARES[n % 10]) for n in range(count))
        made = measures.measure(task, (one.words() for one in stories_made))
        yield compared(task, "table", count, made, babi_table.TABLE[task])
        if release is not None:
            whole = [one for split in babi.SPLITS for one in release.stories[split][task]]
            other = measures.measure(task, whole)
            yield compared(task, "release", count, made, {**dict.fromkeys(made, 0.0), **other})


def row(part: Part) -> dict[str, proof.Cell]:
    """Return a part as a row of results."""
    worst = {f"worst {kind}": round(off, 3) for kind, (off, _) in part.worst.items()}
    return {
        "task": part.task,
        "against": part.against,
        "stories": part.stories,
        "seed": SEED,
        "checked": part.checked,
        "wrong": len(part.wrong),
        **worst,
    }


def line(part: Part) -> str:
    what = f"task {part.task}, {part.stories:,} stories against the {part.against}"
    return "; ".join((f"{what}: {len(part.wrong)} of {part.checked} outside", *part.wrong))


def page(done: list[Part]) -> str:
    """Write the report."""
    kinds = ("words", "first", "told", "asked", "answer", "vocabulary")
    header = ("task", "against", "stories", "outside", *kinds)
    lines = [INTRODUCTION, f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    for part in done:
        cells = [
            str(part.task),
            part.against,
            f"{part.stories:,}",
            f"{len(part.wrong)} of {part.checked}",
        ]
        cells += [
            f"{o:.2f} ({t:.2f})" if k in part.worst else ""
            for k in kinds
            for o, t in [part.worst.get(k, (0, 0))]
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare made bAbI stories with the release.")
    parser.add_argument(
        "--tasks", type=int, nargs="+", default=list(babi.ALL_TASKS), choices=babi.ALL_TASKS
    )
    parser.add_argument("--stories", type=int, help="of each task [2,000; 10,000 of 4, 16, 19]")
    parser.add_argument("--times", type=int, default=1, help="as many stories, so many times")
    parser.add_argument("--data-dir", type=Path, help="the release [where it is found]")
    parser.add_argument("--out", type=Path, help="folder for README.md and equality.jsonl")
    parser.add_argument("--json", action="store_true", help="print a JSON row a line")
    return parser.parse_args()


def all_right() -> bool:
    options, done = parsed(), []
    try:
        release = babi.read(babi_files.find(options.data_dir), "10k", options.tasks)
    except UserError as error:
        print(f"only against the table: {error}", file=sys.stderr)
        release = None
    for part in parts(options.tasks, options.stories, options.times, release):
        proof.report(row(part), line(part), as_json=options.json)
        done.append(part)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "README.md").write_text(page(done))
        rows = (json.dumps({**row(part), **proof.made()}) for part in done)
        (options.out / "equality.jsonl").write_text("".join(f"{each}\n" for each in rows))
    return not any(part.wrong for part in done)


if __name__ == "__main__":
    sys.exit(0 if all_right() else 1)
