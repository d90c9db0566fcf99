"""What the page of a catbAbI run holds: the network, its words, and stories with their right answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastweights.errors import UserError
from fastweights.experiments.catbabi.predict import open_model
from fastweights.experiments.experiment import PageContents
from fastweights.experiments.loaded_run import loaded, open_checked
from fastweights.experiments.plan import Record
from fastweights.models import SequenceModel
from fastweights.nn import FWMLSTM
from fastweights.tasks import story_text
from fastweights.tasks.babi import solve_all, story
from fastweights.tasks.stories import SPECIAL

CHAIN = (
    "wolves are afraid of cats. sheep are afraid of wolves. mice are afraid of wolves. cats are afraid of sheep. "
    "gertrude is a mouse. jessica is a mouse. emily is a cat. winona is a wolf. what is gertrude afraid of?"
)
"""A story whose question takes two facts, one after the other."""

LABELS = (
    *("one fact", "two facts", "three facts", "two objects", "who gave what", "yes or no", "counting"),
    *("lists", "negation", "maybe", "back reference", "conjunction", "compound reference", "time"),
    *("deduction", "induction", "positions", "sizes", "path finding", "motives"),
)  # fmt: skip
"""What the tasks are about, 1 to 20."""

CANDIDATES = 20
"""Test stories of a task of which the shortest is shown."""


def contents(folder: Path) -> PageContents:
    """Return what the page of a run of a Fast Weight Memory holds; it needs no data.

    Raises:
        UserError: if the folder has no run that can be loaded, or the run does not record its words.
    """
    model, vocabulary = open_model(folder)
    run = loaded(open_checked(folder), None)
    assert isinstance(model.backbone, FWMLSTM)
    sizes = model.backbone.memory.state_shapes()[0]
    facts = {
        "LSTM units": f"{model.backbone.hidden_size:,}",
        "memory": " × ".join(map(str, sizes)),
        "slow weights": f"{sum(each.numel() for each in model.parameters()):,}",
        "known words": f"{len(vocabulary) - len(SPECIAL):,}",
    }
    if run.result is not None:
        facts["right on the test stories"] = f"{100 * run.recorded('test_accuracy'):.1f} %"
    return described(model, vocabulary, run.plan["mode"], run.plan["tasks"], facts)


def described(
    model: SequenceModel,
    vocabulary: Sequence[str],
    mode: str,
    tasks: Sequence[int] | None,
    facts: dict[str, str],
) -> PageContents:
    """Return what the page of a model holds, with facts to show by their names; tasks None: all."""
    layer = model.backbone
    assert isinstance(layer, FWMLSTM)
    memory, constants = layer.memory, layer.memory.constants
    record: Record = {
        "page": "catbabi",
        "title": "A Fast Weight Memory answers questions",
        "facts": [{"label": label, "value": value} for label, value in facts.items()],
        "mode": mode,
        "model": {
            "memory_size": memory.memory_size,
            "key_size": memory.key_sizes[1],
            "reads": memory.reads,
            "write_scale": memory.write_scale,
            "write_bias": constants.write_bias,
            "bounded": constants.bounded,
            "clamp": memory.clamp,
            "combine": memory.combine,
            "residual": layer.residual,
        },
        "vocabulary": list(vocabulary),
        "examples": list(_examples(vocabulary, range(1, 21) if tasks is None else tasks)),
    }
    return PageContents(record, model.state_dict())


def _examples(vocabulary: Sequence[str], tasks: Sequence[int]) -> Iterator[Record]:
    """Return stories in a model's words, one a task, each with the right answers and the sentences they follow from."""
    texts = {"two steps": CHAIN}
    for task in tasks:
        made = (story(task, number, split="test") for number in range(CANDIDATES))
        lines = min(made, key=lambda each: len(each.words())).lines
        said = (
            line.words if line.answer is None else f"{line.words} {line.answer}" for line in lines
        )
        texts[f"{LABELS[task - 1]} ({task})"] = "\n".join(
            line.replace(" .", ".").replace(" ?", "?") for line in said
        )
    for label, text in texts.items():
        try:
            story_text.encode(text, vocabulary)
        except UserError:  # the run was trained on other words
            continue
        solved = [
            {
                "word": answer.word,
                "others": list(answer.others),
                "supports": sorted(sentence.number for sentence in answer.supports),
            }
            for answer in solve_all(text)
        ]
        yield {"label": label, "story": text, "solved": solved}
