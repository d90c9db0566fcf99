"""Hold a run's page against the library in float64: logits of the same questions, in each precision of the weights.

    python scripts/page_numbers.py RUN
    python scripts/page_numbers.py RUN --questions 1000 --json

RUN is of retrieval or catbAbI. With float32 weights the logits are within 1e-5, with float16 weights 99.9 % of the
answers are the same; exit code 1 otherwise.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import sys
import tempfile
from pathlib import Path

import page_browser
import torch

from fastweights.experiments import registry
from fastweights.experiments.catbabi.predict import open_model
from fastweights.experiments.loaded_run import open_run
from fastweights.experiments.page import write_run
from fastweights.models import SequenceModel
from fastweights.tasks import Retrieval, story_text
from fastweights.tasks.babi import story

TOLERANCE = 1e-5
SAME = 0.999
PRECISIONS = ("float32", "float16", "int8")


def retrieval_questions(task: Retrieval, count: int) -> list[str]:
    """Return as many questions each of 4, 12 and 26 pairs, `count` in all or a little more."""
    generator = torch.Generator().manual_seed(2016)
    each = -(-count // 3)
    return [
        task.decode(tokens)
        for pairs in (4, 12, 26)
        for tokens in Retrieval(pairs, form=task.form).sample(each, generator).tokens
    ]


def retrieval_logits(model: SequenceModel, form: str, questions: list[str]) -> torch.Tensor:
    """Return the logits of a model in float64."""
    exact = copy.deepcopy(model).double().eval()
    encoded = [Retrieval(form=form).encode(text) for text in questions]
    alike = [[*group] for _, group in itertools.groupby(encoded, len)]
    with torch.no_grad():
        return torch.cat([exact(torch.stack(group), last_only=True)[0] for group in alike])


def stories(vocabulary: tuple[str, ...], count: int) -> list[str]:
    """Return test stories in a model's words, an answer in each question's line, with `count` questions or more."""
    found: list[str] = []
    for number in range(10_000):
        for task in range(1, 21):
            told = story(task, number, split="test")
            lines = (f"{line.words} {line.answer or ''}".rstrip() for line in told.lines)
            text = "\n".join(lines)
            if set(told.words().split()) <= set(vocabulary):
                found.append(text)
            if sum(each.count("?") for each in found) >= count:
                return found
    raise AssertionError("the model knows no story's words")


def story_logits(model: SequenceModel, vocabulary: tuple[str, ...], text: str) -> torch.Tensor:
    """Return the logits of a model in float64 at each question of a story."""
    exact = copy.deepcopy(model).double().eval()
    tokens = story_text.encode(text, vocabulary)[None]
    with torch.no_grad():
        return exact(tokens, at=tokens == vocabulary.index("?"))[0]


def compare(folder: Path, count: int) -> list[dict[str, object]]:
    """Return a row for each precision: questions, the largest difference of a logit, the share of equal answers."""
    if registry.of_run(folder).name == "retrieval":
        run = open_run(folder)
        asked, read = retrieval_questions(run.task, count), "logits"
        exact = retrieval_logits(run.model, run.task.form, asked)
    else:
        model, vocabulary = open_model(folder)
        asked, read = stories(vocabulary, count), "read"
        exact = torch.cat([story_logits(model, vocabulary, text) for text in asked])
    rows = []
    with tempfile.TemporaryDirectory() as place, page_browser.started() as browser:
        for precision in PRECISIONS:
            file = Path(place) / f"{precision}.html"
            size = write_run(folder, file, precision)["bytes"]
            given = page_browser.Opened(browser).goto(file).ask_each(read, asked)
            if read == "read":
                given = [question["logits"] for each in given for question in each]
            found = torch.tensor(given, dtype=torch.float64)
            same = (found.argmax(1) == exact.argmax(1)).double().mean()
            rows.append(
                {
                    "precision": precision,
                    "bytes": size,
                    "questions": len(exact),
                    "largest_difference": float((found - exact).abs().max()),
                    "same_answers": float(same),
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    lacking = page_browser.lacking()
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    rows = compare(given.run, given.questions)
    for row in rows:
        words = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                 for name, value in row.items())  # fmt: skip
        print(json.dumps(row) if given.json else "  ".join(words))
    exact, half, _ = rows
    return int(exact["largest_difference"] > TOLERANCE or half["same_answers"] < SAME)


if __name__ == "__main__":
    sys.exit(main())
