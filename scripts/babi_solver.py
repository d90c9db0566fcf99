"""Answer every question of bAbI by rules, and count what is right and which supporting facts are the release's too.

    python scripts/babi_solver.py --data DIR --json > results/babi-made/solver.jsonl
    python scripts/babi_solver.py --data MADE --made --json >> results/babi-made/solver.jsonl

DIR is the release; MADE a folder that `fastweights data make babi` wrote, where task 5 must be right altogether too.
A row a task and split: questions, right answers, answers of which all supporting sentences are those that the
release names, stories a second. Exit code 1 unless every answer is right; of task 5, the only ambiguous one, unless at
least 99.84 % of train and 99.9 % of valid and test are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import proof

from fastweights.data import babi, babi_files
from fastweights.errors import UserError
from fastweights.tasks.babi import solve_all

AMBIGUOUS = {"train": 0.9984, "valid": 0.999, "test": 0.999}
"""The share of task 5's questions that is right at least; two things may both have gone the way that is asked about."""


def checked(content: bytes, name: str) -> dict[str, int | float]:
    """Count the right answers, and those with the supporting facts, of a file of the release."""
    facts = [[int(n) for n in line.split(b"\t")[2].split()]
             for line in content.splitlines() if b"\t" in line]  # fmt: skip
    stories = babi.parse(content, name)
    began = time.process_time()
    answers = [answer for story in stories for answer in solve_all(story)]
    seconds = time.process_time() - began
    supports = [sorted(s.number for s in answer.supports) for answer in answers]
    return {
        "questions": len(answers),
        "right": sum(answer.word == answer.given for answer in answers),
        "supports_equal": sum(mine == sorted(f) for mine, f in zip(supports, facts, strict=True)),
        "stories": len(stories),
        "stories_per_second": round(len(stories) / max(seconds, 1e-9)),
    }


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Answer every question of bAbI by rules.")
    parser.add_argument("--data", type=Path, help="the release's folder or archive")
    parser.add_argument(
        "--made", action="store_true", help="the stories are made, not the release's"
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=babi.ALL_TASKS, help="which")
    parser.add_argument("--splits", nargs="+", choices=babi_files.SPLITS, default=babi_files.SPLITS)
    parser.add_argument("--json", action="store_true", help="print a JSON row a line")
    return parser.parse_args(words)


def all_right(words: Sequence[str] | None = None) -> bool:
    """Check the release; return whether all is right that can be."""
    options, right = parsed(words), True
    names = babi.file_names("10k", options.tasks)
    files = babi_files.find(options.data).read(names)
    for task in options.tasks:
        for split in options.splits:
            name = f"{babi_files.FOLDERS['10k']}/qa{task}_{split}.txt"
            if (task, split) == (3, "train") and name not in files:
                name = babi_files.PART
            if name not in files:
                raise UserError(f"the release lacks {name}")
            row = checked(files[name], name)
            wanted = AMBIGUOUS[split] if task == 5 and not options.made else 1
            right &= row["right"] >= wanted * row["questions"]
            line = (f"task {task}, {split}: {row['right']:,} of {row['questions']:,} right,"
                    f" {row['supports_equal']:,} with the release's supporting facts")  # fmt: skip
            about = {
                "stories_of": "made" if options.made else "release",
                "task": task,
                "split": split,
            }
            proof.report({**about, **row}, line, as_json=options.json)
    return right


if __name__ == "__main__":
    try:
        sys.exit(0 if all_right() else 1)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
