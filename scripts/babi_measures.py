"""What is measured of bAbI stories: lengths, forms of sentences and questions, answers, and how far each may differ."""

from __future__ import annotations

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fastweights.tasks.babi import words

COUNTED = 2000
MORE = {4: 10_000, 16: 10_000, 19: 10_000}
"""Stories that the tolerances are for."""

MEANS = {3: 6.0, 5: 4.0, 18: 3.0}
"""Percent that a mean may differ by, where not 2."""
FORMS = {17: 0.6}
"""Points that the share of a form may differ by, where not 1: in this task the shapes' names stay in the form."""
ANSWERS = {3: 4.0}
"""Points that the share of an answer may differ by, where not 2."""
FIRST = {3: 3.0, 5: 3.0}
"""Points that other shares of stories may differ by, where not 2.5."""
DEVIATIONS = {18: 15.0}
"""Percent that the deviation of a story's words may differ by, where not 10: 1.7 % of the release's stories of this
task stop early, tell more and ask more, which is left out."""

Measures = dict[str, float]
"""Means by name, and shares in percent by "kind: value"."""

_CLASSES = {
    "S": ("box of chocolates", *words.SIZES),
    "A": words.PEOPLE,
    "P": words.PLACES,
    "O": words.ALL_THINGS,
    "K": (*words.KINDS, *words.KINDS.values(), *words.ANIMALS),
    "C": words.COLOURS,
    "M": tuple(words.MOODS),
}
_CLASS = {name: letter for letter, names in _CLASSES.items() for name in names}
_NAME = re.compile(rf"\b({'|'.join(sorted(_CLASS, key=len, reverse=True))})\b")

_VERBS = {
    **dict.fromkeys(words.GO, "go"),
    **dict.fromkeys(words.GET, "get"),
    **dict.fromkeys(words.DROP, "drop"),
    **dict.fromkeys(words.GIVE, "give"),
    "is in": "is",
    "is not": "not",
    "is no": "no longer",
    "is either": "either",
}
_VERB = re.compile(rf"\b({'|'.join(sorted(_VERBS, key=len, reverse=True))})\b")


class Text(NamedTuple):
    """A story's lines: each its words and, of a question, the answer."""

    lines: tuple[tuple[str, str | None], ...]

    @classmethod
    def of(cls, story: str) -> Text:
        """Build it from words as `fastweights.data.babi.parse` gives them."""
        found = re.findall(r"([^.?]+ [.?])(?:(?<=\?) (\S+))?", story)
        return cls(tuple((said.strip(), answer or None) for said, answer in found))


def measure(task: int, stories: Iterable[str]) -> Measures:
    """Measure stories of one task.

    Args:
        task: 1 to 20.
        stories: as `fastweights.data.babi.parse` gives them.
    """
    stories = list(stories)
    texts = [Text.of(story) for story in stories]
    questions = [[at for at, line in enumerate(text.lines) if line[1]] for text in texts]
    firsts = [asked[0] for asked in questions]
    sizes = [len(story.split()) for story in stories]
    measures: Measures = {
        "sentences": statistics.mean(
            len(text.lines) - len(asked) for text, asked in zip(texts, questions, strict=True)
        ),
        "questions": statistics.mean(map(len, questions)),
        "words": statistics.mean(sizes),
        "deviation": statistics.pstdev(sizes),
        "mean first": statistics.mean(firsts),
        "median first": statistics.median(firsts),
        "vocabulary": len(set().union(*map(str.split, stories))),
    }
    gaps = [b - a - 1 for asked in questions for a, b in itertools.pairwise(asked)]
    lines = [line for text in texts for line in text.lines]
    told = [said for said, answer in lines if answer is None]
    asked = [said for said, answer in lines if answer is not None]
    measures |= _shares("first", firsts) | _shares("gap", gaps)
    measures |= _shares("answer", (answer for _, answer in lines if answer is not None))
    for kind, some in (("told", told), ("asked", asked)):
        named = task in FORMS
        measures |= _shares(kind, some if named else (_NAME.sub(_letter, said) for said in some))
    if task in words.NAMED:
        verbs = (_VERB.search(said) for said in told)
        measures |= _shares("clause", (_VERBS[verb[0]] for verb in verbs if verb))
    if task == 8:
        held = (answer for _, answer in lines if answer)
        measures |= _shares("things", (0 if a == "nothing" else 1 + a.count(",") for a in held))
    if task in (15, 16):
        measures |= _shares("kinds", (_kinds(text) for text in texts))
    if task == 16:
        measures |= _shares("asked for", (_place_of_asked(text) for text in texts))
        measures["colours disagree"] = 100 * statistics.mean(map(_disagree, texts))
    return measures


def compare(
    task: int, made: Measures, other: Mapping[str, float]
) -> Iterator[tuple[str, float, float, float]]:
    """Yield what is measured, what was made, what it should be and the tolerance, for all that `other` has."""
    relative = ("sentences", "questions", "words", "mean first")
    for name, right in other.items():
        kind = name.partition(":")[0]
        if name in relative:
            tolerance = MEANS.get(task, 2.0) / 100 * right
        elif name == "vocabulary":
            tolerance = 0.0
        elif name == "median first":
            tolerance = 2.0  # one block
        elif name == "deviation":
            tolerance = DEVIATIONS.get(task, 10.0) / 100 * right
        elif kind in ("told", "asked", "clause"):
            tolerance = FORMS.get(task, 1.0)
        elif kind in ("answer", "things"):
            tolerance = ANSWERS.get(task, 2.0)
        else:
            tolerance = FIRST.get(task, 2.5)
        yield name, made.get(name, 0.0), right, tolerance


def _shares(kind: str, values: Iterable[object]) -> Measures:
    counts = Counter(values)
    return {f"{kind}: {value}": 100 * n / counts.total() for value, n in counts.items()}


def _letter(match: re.Match[str]) -> str:
    return _CLASS[match[0]]


def _members(text: Text) -> dict[str, str]:
    """Return the kind of each person, in the order of introduction."""
    found = (re.fullmatch(r"(\w+) is a (\w+) \.", said) for said, _ in text.lines)
    return {match[1]: match[2] for match in found if match}


def _kinds(text: Text) -> str:
    return "+".join(map(str, sorted(Counter(_members(text).values()).values(), reverse=True)))


def _place_of_asked(text: Text) -> int:
    return 1 + list(_members(text)).index(text.lines[-1][0].split()[-2])


def _disagree(text: Text) -> bool:
    kinds = _members(text)
    own = kinds[text.lines[-1][0].split()[-2]]
    said = (re.fullmatch(r"(\w+) is (\w+) \.", words) for words, _ in text.lines)
    return len({match[2] for match in said if match and kinds[match[1]] == own}) > 1
