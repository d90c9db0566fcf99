"""Write `docs/open-questions.md` from the recorded rows: nine questions with method, figure and answer.

    python scripts/open_questions.py            # writes the page
    python scripts/open_questions.py --check    # writes nothing; exit code 1 where the rows say something else

The words of questions and methods stand in `open_questions.md`. Every number of an answer is computed from `results/`,
and where a row is missing the answer says so.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from open_question_answers import Rows, answers, listed

from fastweights.experiments.retrieval.questions import PAIRS
from fastweights.io.atomic import write_atomically
from fastweights.tasks import ceilings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "open-questions.md"
WORDS = Path(__file__).with_suffix(".md")
FIGURES = {
    "7": {
        "data-movement/table.png": "The cost of a step by the length of the sequence, for each network"
    },
    "8": {
        "open-questions/question-8.png": "Errors of every seed by S",
        "open-questions/decay-and-rate.png": "Median error by λ and η",
    },
}
EVERY_SEED = "Errors of every seed; a tick stands where the best network is that binds nothing"


def page(results: Path) -> str:
    """Return the page, of the rows in a folder of results."""
    rows = Rows(results, "open-questions")
    errors = (f"{100 * (1 - float(ceilings.no_binding(n))):.4g} % at {n}" for n in PAIRS)
    filled = {"no binding": f"{listed(errors)} pairs"}
    for number, answer in answers(rows, Rows(results, "data-movement")).items():
        drawn = FIGURES.get(number, {f"open-questions/question-{number}.png": EVERY_SEED})
        lines = [
            f"![{what}](../results/{f})" for f, what in drawn.items() if (results / f).exists()
        ]
        filled[f"figure {number}"] = "\n\n".join(lines) or "*No figure yet.*"
        filled[f"answer {number}"] = f"**Answer.** {answer} {state(rows, number)}".rstrip()
    return re.sub(r"{([a-z]+ \w+)}", lambda slot: filled[slot[1]], WORDS.read_text("utf-8"))


def state(rows: Rows, number: str) -> str:
    """Return how much of a question is recorded where it is a part of it."""
    cells = [cell for cell in rows.study.cells if cell.name.startswith(f"{number} ")]
    seeds = [len(rows.entries(cell.name)) for cell in cells]
    if not any(seeds) or all(n >= cell.seeds for n, cell in zip(seeds, cells, strict=True)):
        return ""
    done = [n for n in seeds if n]
    most = f"{min(done)}" if min(done) == max(done) else f"{min(done)} to {max(done)}"
    of = f"{len(done)} of {len(cells)} cells are recorded, with {most} of {cells[0].seeds} seeds"
    return f"*Preliminary: {of}.*"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    text = page(given.results)
    if not given.check:
        write_atomically(PAGE, text.encode())
    elif PAGE.read_text("utf-8") != text:
        print(f"{PAGE} is not what the rows say: python scripts/open_questions.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
