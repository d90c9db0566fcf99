"""The words of the 20 tasks: names, places, things and verbs, and who may be in which task's world."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from fastweights.errors import UserError
from fastweights.tasks.babi.draws import Draws

NAMES = ("release", "any", "held-out")

GO = ("went", "moved", "journeyed", "travelled", "went back")
GET = ("took", "got", "grabbed", "picked up")
DROP = ("dropped", "left", "discarded", "put down")
GIVE = ("gave", "handed", "passed")
THEN = ("then", "afterwards", "after that", "following that")
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
COUNTS = ("none", "one", "two", "three")

HOUSEHOLD = ("john", "mary", "sandra", "daniel")
GIVERS = ("mary", "fred", "bill", "jeff")
TOWNSPEOPLE = ("mary", "bill", "fred", "julie")
FEARFUL = ("gertrude", "winona", "jessica", "emily")
KEEPERS = ("lily", "bernhard", "greg", "julius", "brian")
MOODY = ("jason", "antoine", "sumit", "yann")
PEOPLE = tuple(dict.fromkeys((*HOUSEHOLD, *GIVERS, *TOWNSPEOPLE, *FEARFUL, *KEEPERS, *MOODY)))
WOMEN = frozenset(("mary", "sandra", "julie", "lily", *FEARFUL))

ROOMS = ("kitchen", "hallway", "bathroom", "garden", "office", "bedroom")
TOWN = ("kitchen", "bedroom", "office", "school", "cinema", "park")
PLACES = tuple(dict.fromkeys((*ROOMS, *TOWN)))

THINGS = ("apple", "football", "milk")
"""In the order in which gifts are looked for."""
ALL_THINGS = (*THINGS, "pajamas")

KINDS = {"mouse": "mice", "sheep": "sheep", "wolf": "wolves", "cat": "cats"}
ANIMALS = ("swan", "lion", "frog", "rhino")
COLOURS = ("gray", "white", "yellow", "green")
SHAPES = ("triangle", "pink rectangle", "blue square", "red sphere", "red square", "yellow square")
SIZES = ("chocolate", "box of chocolates", "suitcase", "container", "box", "chest")
"""The first is smaller than the second, and both than the others."""
MOODS = {
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "bored": ("garden", "football"),
    "tired": ("bedroom", "pajamas"),
}
"""Each mood's place and thing."""

COMPASS = ("north", "east", "south", "west")
SIDES = ("above", "to the right of", "below", "to the left of")
"""As the compass has them: the opposite is two further on."""

_OTHERS = """
    . ? a afraid and are before bigger carrying color did do does either fit fits from get give go he how in inside is
    longer many maybe no not nothing objects of or received she than the there they to was what where who why will
    yes you
"""
_PHRASES = (
    *(_OTHERS.split(), PEOPLE, PLACES, ALL_THINGS, GO, GET, DROP, GIVE, THEN, TIMES, COUNTS),
    *(KINDS, KINDS.values(), ANIMALS, COLOURS, SHAPES, SIZES, MOODS, COMPASS, SIDES),
    [",".join(some) for count in (2, 3) for some in itertools.permutations(THINGS, count)],
    [f"{one},{two}" for one in "nesw" for two in "nesw" if one + two not in "nsn ewe"],
)
VOCABULARY = tuple(
    sorted({w for phrases in _PHRASES for phrase in phrases for w in phrase.split()})
)
"""All words of the 20 tasks, whatever the names."""

HELD_OUT = frozenset(
    ("greg", "lily", "emily", "jason", "julius", "winona", "school", "cinema", "park", "pajamas")
)
"""Names that tasks 1-3 and 5-14 have in test stories alone, where names are held out."""

NAMED = (1, 2, 3, *range(5, 15))
"""Tasks whose people and places (and things) can have other names than the release's."""


class World(NamedTuple):
    """Who and what is in a story; the order of people and things decides who gives what to whom."""

    people: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]


_WORLDS = {
    **dict.fromkeys(NAMED, World(HOUSEHOLD, ROOMS, THINGS)),
    5: World(GIVERS, ROOMS, THINGS),
    **dict.fromkeys((10, 14), World(TOWNSPEOPLE, TOWN, THINGS)),
}
"""The release's."""


def draw_world(draw: Draws, task: int, names: str, split: str, people: int, things: int) -> World:
    """Draw who and what is in a story of one of the tasks `NAMED`; the release's are not drawn.

    Args:
        draw: of the story.
        task: one of `NAMED`.
        names: "release": the task's own; "any": of all 21 people, 9 places and 4 things; "held-out": those of
            `HELD_OUT` stand in test stories, where there are enough of them, and in no others.
        split: which the story is for.
        people: how many.
        things: how many; `check_enough` says whether there are so many.
    """
    own = _WORLDS[task]
    if names == "release":
        return World(own.people[:people], own.places, own.things[:things])
    known = own.things if task == 8 else ALL_THINGS  # lists of other things are words of their own
    return World(
        _drawn(draw, PEOPLE, people, names, split),
        _drawn(draw, PLACES, len(own.places), names, split),
        _drawn(draw, known, things, names, split),
    )


def check_enough(task: int, names: str, people: int, things: int) -> None:
    """Check that a task has names for so many people and things.

    Raises:
        UserError: if they run out.
    """
    own = _WORLDS[task]
    free = [each for each in PEOPLE if each not in HELD_OUT]
    most = {"release": own.people, "any": PEOPLE, "held-out": free}[names]
    known = own.things if names == "release" or task == 8 else ALL_THINGS
    known = [each for each in known if names != "held-out" or each not in HELD_OUT]
    known = known[: len(COUNTS) - 1] if task == 7 else known  # no word for four
    for what, count, least, there in (("people", people, 2, most), ("things", things, 1, known)):
        if not least <= count <= len(there):
            raise UserError(
                f"task {task} has names for {least} to {len(there)} {what} (names {names!r}), not for {count}"
            )


def _drawn(
    draw: Draws, known: tuple[str, ...], count: int, names: str, split: str
) -> tuple[str, ...]:
    if names == "any":
        return tuple(draw.sample(known, count))
    held = [each for each in known if each in HELD_OUT]
    rest = [each for each in known if each not in HELD_OUT]
    if split != "test":
        return tuple(draw.sample(rest, count))
    new = draw.sample(held, min(count, len(held)))
    return tuple(draw.order(new + draw.sample(rest, count - len(new))))
