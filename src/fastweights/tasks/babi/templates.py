"""The sentences of the 20 tasks: one line a template, and a sentence read as one of them."""

from __future__ import annotations

import difflib
import functools
import re
import textwrap
from typing import NamedTuple

from fastweights.errors import UserError

PEOPLE = (
    "john mary sandra daniel fred bill jeff julie gertrude winona jessica emily"
    " lily bernhard greg julius brian jason antoine sumit yann"
)
PLACES = "kitchen hallway bathroom garden office bedroom school cinema park"
SINGULAR = {"mice": "mouse", "sheep": "sheep", "wolves": "wolf", "cats": "cat"}
LETTERS = {"north": "n", "south": "s", "east": "e", "west": "w"}
SIDES = {f"{side} of": letter for side, letter in LETTERS.items()}
SIDES |= {"above": "n", "below": "s", "to the right of": "e", "to the left of": "w"}
SHAPES = ("triangle", "pink rectangle", "blue square", "red sphere", "red square", "yellow square")
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")

SLOTS = {
    "PERSON": PEOPLE.split(),
    "PLACE": PLACES.split(),
    "THING": ["milk", "football", "apple", "pajamas"],
    "SPOT": [*PLACES.split(), *SHAPES],
    "BOX": ["box of chocolates", "chocolate", "suitcase", "container", "box", "chest"],
    "ANIMAL": [*SINGULAR.values(), "swan", "lion", "frog", "rhino"],
    "ANIMALS": [*SINGULAR],
    "COLOR": ["gray", "white", "yellow", "green"],
    "MOOD": ["hungry", "thirsty", "bored", "tired"],
    "SIDE": [*SIDES],
    "TIME": [*TIMES],
    "he": ["he", "she"],
}
"""What stands for a word of a template, and is kept."""

ALIKE = {
    "went": ["went back", "went", "moved", "journeyed", "travelled"],
    "got": ["got", "took", "grabbed", "picked up"],
    "dropped": ["dropped", "left", "discarded", "put down"],
    "gave": ["gave", "handed", "passed"],
    "then": ["then", "afterwards", "after that", "following that"],
    "not": ["not", "no longer"],
}
"""Words of the same meaning as a word of a template."""

STATEMENTS = {
    "PERSON went to the PLACE": "go",
    "PERSON and PERSON went to the PLACE": "go_together",
    "then he went to the PLACE": "go_then",
    "then they went to the PLACE": "go_then_together",
    "TIME PERSON went to the PLACE": "at_time_go",
    "PERSON went to the PLACE TIME": "go_at_time",
    "PERSON is in the PLACE": "go",
    "PERSON is not in the PLACE": "be_outside",
    "PERSON is either in the PLACE or the PLACE": "be_in_either",
    "PERSON got the THING [there]": "get",
    "PERSON dropped the THING [there]": "drop",
    "PERSON gave the THING to PERSON": "give",
    "the SPOT is SIDE the SPOT": "be_beside",
    "the BOX is bigger than the BOX": "be_bigger",
    "the BOX fits inside the BOX": "fit",
    "PERSON is a ANIMAL": "be_animal",
    "ANIMALS are afraid of ANIMALS": "fear",
    "PERSON is COLOR": "have_color",
    "PERSON is MOOD": "have_mood",
}
"""What each template of a statement does to the world."""

QUESTIONS = {
    "where is PERSON": "where_person",
    "where is the THING": "where_thing",
    "where was PERSON before the PLACE": "where_person_before",
    "where was the THING before the PLACE": "where_thing_before",
    "is PERSON in the PLACE": "is_in",
    "how many objects is PERSON carrying": "how_many",
    "what is PERSON carrying": "carrying",
    "what did PERSON give to PERSON": "what_given",
    "who gave the THING": "who_gave",
    "who gave the THING to PERSON": "who_gave",
    "who received the THING": "who_received",
    "who did PERSON give the THING to": "whom_given",
    "what is SIDE the SPOT": "what_beside",
    "what is the SPOT SIDE": "beside_what",
    "is the SPOT SIDE the SPOT": "is_beside",
    "is the BOX bigger than the BOX": "is_bigger",
    "does the BOX fit in the BOX": "does_fit",
    "how do you go from the PLACE to the PLACE": "path",
    "what is PERSON afraid of": "afraid_of",
    "what color is PERSON": "what_color",
    "where will PERSON go": "where_will",
    "why did PERSON go to the PLACE": "why",
    "why did PERSON get the THING": "why",
}
"""How each template of a question is answered."""


class Clause(NamedTuple):
    """A sentence that was understood.

    Attributes:
        action: what it does or asks: a value of `STATEMENTS` or `QUESTIONS`.
        words: what stands in its template's slots, in their order.
    """

    action: str
    words: tuple[str, ...]


def _pattern(template: str) -> re.Pattern[str]:
    """Compile a template, with one group a slot."""
    parts = []
    for word in template.split():
        if word.startswith("["):
            parts.append(f"(?: {word[1:-1]})?")
        elif word in SLOTS:
            parts.append(f" ({'|'.join(SLOTS[word])})")
        else:
            parts.append(f" (?:{'|'.join(ALIKE.get(word, [word]))})")
    return re.compile("".join(parts))


_STATEMENTS = [(_pattern(template), action) for template, action in STATEMENTS.items()]
_QUESTIONS = [(_pattern(template), action) for template, action in QUESTIONS.items()]


@functools.lru_cache(maxsize=1 << 15)
def match(sentence: str, asked: bool) -> Clause | None:
    """Return a sentence as one of the templates, None if it is none of them.

    Args:
        sentence: in any case, with or without the "." or "?".
        asked: whether it is a question.

    Example:
        >>> match("Mary went back to the kitchen.", asked=False)
        Clause(action='go', words=('mary', 'kitchen'))
    """
    words = f" {plain(sentence)}"
    for pattern, action in _QUESTIONS if asked else _STATEMENTS:
        found = pattern.fullmatch(words)
        if found is not None:
            return Clause(action, found.groups())
    return None


def plain(sentence: str) -> str:
    """Return a sentence's words in lower case, one space between them, without "." and "?"."""
    return " ".join(sentence.lower().rstrip(" .?").replace(",", " ").split())


LONGEST = 100
"""Characters of a sentence that a message repeats; the longest of the release has 57."""


@functools.cache
def known_words() -> frozenset[str]:
    """Return every word that a sentence may hold."""
    lists = [*SLOTS.values(), *ALIKE.values()]
    phrases = [phrase for phrases in lists for phrase in phrases]
    templates = [
        word.strip("[]") for template in (*STATEMENTS, *QUESTIONS) for word in template.split()
    ]
    words = {word for phrase in (*phrases, *templates) for word in phrase.split()}
    return frozenset(words - SLOTS.keys() | {"he"})


def refusal(number: int, sentence: str, asked: bool) -> UserError:
    """Build the error for a sentence that is none of the templates: the nearest one, and a word that is unknown.

    Example:
        >>> str(refusal(2, "Mary went in the garden.", asked=False))
        "sentence 2, 'mary went in the garden.', fits no template; the nearest is 'PERSON went to the PLACE.'"
    """
    ends, words = (
        "?" if asked else ".",
        textwrap.shorten(plain(sentence), LONGEST, placeholder=" …"),
    )
    where = f"sentence {number}, {words + ends!r},"
    if match(words, not asked):
        kind, other = ("no", ".") if asked else ("a", "?")
        return UserError(f"{where} is {kind} question: end it in {other!r}")
    unknown = [word for word in words.split() if word not in known_words() and word != "…"]
    hint = f"; {unknown[0]!r} is no known word" if unknown else ""
    near = unknown and difflib.get_close_matches(unknown[0], sorted(known_words()), n=1)
    if near:
        hint += f", the nearest is {near[0]!r}"
    template = _nearest_template(words, asked) + ends
    return UserError(f"{where} fits no template; the nearest is {template!r}{hint}")


def _nearest_template(sentence: str, asked: bool) -> str:
    """Return the template most like a sentence, word by word, names counted as their slots."""
    words = f" {sentence} "
    for kinds in (ALIKE, SLOTS):
        for kind, phrases in kinds.items():
            for phrase in phrases:
                words = words.replace(f" {phrase} ", f" {kind} ")
    compare = difflib.SequenceMatcher(b=words.split(), autojunk=False)

    def likeness(template: str) -> float:
        compare.set_seq1(template.split())
        return compare.ratio()

    return max(QUESTIONS if asked else STATEMENTS, key=likeness)
