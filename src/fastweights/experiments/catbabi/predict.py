"""Ask a catbAbI run: answers with probabilities for the questions in a typed story, or a test on a split."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.experiments.catbabi.options import CatBAbITest
from fastweights.experiments.catbabi.solving import solved
from fastweights.experiments.catbabi.testing import last_sentence, measure, measure_release
from fastweights.experiments.loaded_run import LoadedRun, open_run
from fastweights.experiments.plan import Record
from fastweights.models import SequenceModel
from fastweights.tasks import CatBAbI, story_text
from fastweights.tasks.babi.reading import as_cut, read_stories
from fastweights.tasks.stories import EOS

SPLITS = ("test", "valid")


class Answered(NamedTuple):
    """A question of a story, answered.

    Attributes:
        words: read so far, from the <eos> before the story to the "?".
        answer: the likeliest word.
        probability: of it.
        read_weights: [reads, words], what each read at the "?" took from what was written at each word; None for a
            model that does not attend.
    """

    words: list[str]
    answer: str
    probability: float
    read_weights: Tensor | None


def ask(folder: Path, data_dir: Path | None = None) -> Callable[[str], Record]:
    """Load a run that answers a typed story's questions; its answer is put in after each "?" before the story goes on.

    Returns:
        a function from a story to: `story` and `questions`, each a dict of `question`, `answer`, `probability` and
        `attention`: for each read, the three words whose writes it took most from, with the share of each in the
        magnitudes of all.
    """
    model, vocabulary = open_model(folder)
    return lambda story: _asked(model, vocabulary, story)


def open_model(folder: Path) -> tuple[SequenceModel, tuple[str, ...]]:
    """Load a run's model and its words, which need no data.

    Raises:
        UserError: if the run does not record them.
    """
    from fastweights import runs
    from fastweights.runs import Run

    words = Run.open(folder).config["task"].get("vocabulary")
    if not isinstance(words, list):
        raise UserError(f"{folder} does not say in config.json which words it was trained on")
    return runs.load(folder), tuple(words)


def answered(model: SequenceModel, vocabulary: tuple[str, ...], story: str) -> list[Answered]:
    """Answer the questions of a typed story one after the other.

    Where an answer stands behind a "?" (a word by itself, or a list with commas), the model reads it on; elsewhere it
    reads its own.

    Raises:
        UserError: if nothing is asked, or a word is unknown.
    """
    *asked, _ = story.split("?")
    if not asked:
        story_text.encode(story, vocabulary)  # says what is missing
    found: list[Answered] = []
    read = [EOS]
    for piece in asked:
        if found:
            given = _GIVEN.match(piece)
            if given:
                read += story_text.tokens(given[1], vocabulary)
                piece = piece[given.end() :]
            else:  # not as text: an answer may be what no one can type, an <eos>
                read.append(vocabulary.index(found[-1].answer))
            piece = _STOP.sub("", piece)
        read += story_text.tokens(piece + "?", vocabulary)
        found.append(_answer(model, vocabulary, torch.tensor(read)))
    return found


_GIVEN = re.compile(r"\s*([^\s.,]+(?:\s*,\s*[^\s.,]+)*)[^\S\n]*(?:\.|\n|$)")
"""An answer behind a question mark: one word, or several with commas, and nothing else in the sentence or line."""


_STOP = re.compile(r"^\s*\.")
"""A full stop behind an answer, which is forgiven."""


def _asked(model: SequenceModel, vocabulary: tuple[str, ...], story: str) -> Record:
    return {
        "story": story,
        "questions": [
            {
                "question": " ".join(last_sentence(answer.words)),
                "answer": answer.answer,
                "probability": answer.probability,
                "attention": _most(answer),
            }
            for answer in answered(model, vocabulary, story)
        ],
    }


def _most(answer: Answered, count: int = 3) -> list[list[Record]]:
    """For each read, the words whose writes it took most from, in the order of the story, with their shares."""
    if answer.read_weights is None:
        return []
    chosen = []
    for weights in answer.read_weights:
        shares = weights.abs() / weights.abs().sum().clamp(min=1e-30)
        steps = shares.topk(min(count, len(shares))).indices.sort().values.tolist()
        chosen.append(
            [{"step": t, "word": answer.words[t], "share": float(shares[t])} for t in steps]
        )
    return chosen


@torch.no_grad()
def _answer(model: SequenceModel, vocabulary: tuple[str, ...], tokens: Tensor) -> Answered:
    trace = model.trace(tokens[None], memory_steps=())
    probability, answer = trace.output[0, -1].softmax(-1).max(-1)
    weights = None if trace.read_weights is None else trace.read_weights[0, -1]
    words = [vocabulary[token] for token in tokens.tolist()]
    return Answered(words, vocabulary[int(answer)], float(probability), weights)


def test(folder: Path, options: CatBAbITest) -> Record:
    """Test a run on a whole split, or on the stories of a file.

    Raises:
        UserError: also if the data has other words or stories than those the run was trained on.

    Returns:
        accuracy, perplexity and so on; of generated stories also `release`: the same of the release's split, where it
        is at hand.
    """
    if options.file is not None:
        if replace(options, file=None) != CatBAbITest(data_dir=options.data_dir):
            raise UserError("--file answers the file's stories: leave out what chooses others")
        return _test_file(folder, options.file)
    split = options.split or "test"
    check_choice("split", split, SPLITS)
    run = open_run(folder, options.data_dir)
    read_in = int(run.plan["test_rows"])
    task, data_dir = _tested(run, options), options.data_dir or run.plan.get("data_dir")
    measured = measure(run.model, task, split, read_in)
    return {
        **run.about(),
        "mode": run.plan["mode"],
        "split": split,
        "rows": read_in,
        "tasks": list(task.tasks),
        "notes": list(task.notes),
        **measured,
        "accuracy_percent": 100 * measured["accuracy"],
        "release": measure_release(run.model, task, split, read_in, data_dir),
    }


def _test_file(folder: Path, file: Path) -> Record:
    """Answer the questions of a file's stories, each read from the zero state, beside the right answers.

    Behind a question the model reads the answer that the file has there, and where it has none its own.

    Returns:
        as `solving.solved` does, and of each question the `answer` of the run, its `probability` and whether it is
        `correct` (None: the story does not tell); `answers`, how many it could have right, `correct`, how many it has.
    """
    model, vocabulary = open_model(folder)
    stories = read_stories(file)
    found = solved(stories, str(file))
    by_run = [each for story in stories for each in answered(model, vocabulary, as_cut(story))]
    for question, answer in zip(found["questions"], by_run, strict=True):
        fitting = [question["word"], *question["others"]]
        correct = None if question["word"] is None else answer.answer in fitting
        question |= {"answer": answer.answer, "probability": answer.probability, "correct": correct}
    judged = [question["correct"] for question in found["questions"]]
    assert model.config is not None
    about = {"out": str(folder), "model": model.config["name"], "file": str(file)}
    counts = {"answers": len(judged) - judged.count(None), "correct": judged.count(True)}
    return {**about, **counts, **found}


def _tested(run: LoadedRun[CatBAbI], options: CatBAbITest) -> CatBAbI:
    """Return the task of a test: the run's own, or other stories in its words."""
    making: Record = {
        "names": options.names,
        "window": options.window,
        "questions": options.story_questions,
        "people": options.people,
        "things": options.things,
    }
    given = {name: value for name, value in making.items() if value is not None}
    if options.stories is None and not given:
        return run.task
    stories = options.stories or "generated"
    own = run.task.options if run.task.made and stories == "generated" else {}
    making = {name: own[name] for name in making if name in own} | given
    return CatBAbI(
        options.data_dir or run.plan.get("data_dir"),
        tasks=run.task.tasks,
        stories=stories,
        vocabulary=run.task.vocabulary,
        **making,
    )
