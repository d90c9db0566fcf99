"""What is asked, answered out of what was told: one rule a template of question."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from fastweights.tasks.babi.templates import SIDES
from fastweights.tasks.babi.world import OPPOSITE, Neighbour, Stay, Told, World

NUMBERS = ("none", "one", "two", "three", "four")
NEEDS = {
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "bored": ("garden", "football"),
    "tired": ("bedroom", "pajamas"),
}
"""Where who is in a mood goes, and what he gets there."""

RECENT = 5
"""A question is about one of so many last statements, where it can be."""

STEPS = {"n": (0, 1), "s": (0, -1), "e": (1, 0), "w": (-1, 0)}


class Found(NamedTuple):
    """An answer.

    Attributes:
        word: one word; several with commas between them.
        told: the sentences it follows from, the most telling first.
        others: answers that fit as well.
    """

    word: str
    told: Told
    others: tuple[str, ...] = ()


def find(world: World, action: str, words: Sequence[str]) -> Found | None:
    """Return the answer to a question of `templates.QUESTIONS`, None if the story does not tell it."""
    return _RULES[action](world, *words)


def where_person(world: World, person: str) -> Found | None:
    stay = world.last_stay(person)
    return Found(stay.place, stay.told) if stay.place else None


def where_thing(world: World, thing: str) -> Found | None:
    room = world.rooms[thing][-1] if thing in world.rooms else None
    return Found(room.place, (world.handled[thing], *room.told)) if room and room.place else None


def where_person_before(world: World, person: str, place: str) -> Found | None:
    return _before(world.in_time(person), place, ())


def where_thing_before(world: World, thing: str, place: str) -> Found | None:
    rooms = world.rooms.get(thing, [])
    return _before(rooms, place, (world.handled[thing],)) if rooms else None


def _before(stays: Sequence[Stay], place: str, told: Told) -> Found | None:
    """Return the place before the last stay at a place."""
    there = [number for number, stay in enumerate(stays) if stay.place == place]
    earlier = [stay for stay in stays[: there[-1]] if stay.place != place] if there else []
    if not earlier or earlier[-1].place is None:
        return None
    return Found(earlier[-1].place, (*told, *stays[there[-1]].told, *earlier[-1].told))


def is_in(world: World, person: str, place: str) -> Found | None:
    stay = world.last_stay(person)
    if stay.outside:
        return Found("no", stay.told) if place in stay.places else None
    if not stay.places:
        return None
    within = "yes" if stay.place else "maybe"
    return Found(within if place in stay.places else "no", stay.told)


def carrying(world: World, person: str) -> Found | None:
    """Return the things in the order of their first getting, or "nothing"; supports are grouped by thing."""
    if not world.mentions(person):
        return None
    return Found(",".join(_carried(world, person)) or "nothing", _handling(world, person))


def how_many(world: World, person: str) -> Found | None:
    if not world.mentions(person):
        return None
    return Found(NUMBERS[len(_carried(world, person))], tuple(sorted(_handling(world, person))))


def _carried(world: World, person: str) -> list[str]:
    return [t for t in world.possessions.get(person, ()) if world.holder[t] == person]


def _handling(world: World, person: str) -> Told:
    return tuple(itertools.chain.from_iterable(world.possessions.get(person, {}).values()))


def what_given(world: World, giver: str, receiver: str) -> Found | None:
    """Of the things whose last gift this was, lately, the one given most often; else what was given so last."""
    given = [g for g in world.gifts if (g.giver, g.receiver) == (giver, receiver)]
    if not given:
        return None
    recent = [g for g in world.gifts if world.statements - g.statement <= RECENT]
    times = Counter(gift.thing for gift in recent)
    last = {gift.thing: gift for gift in recent}
    fitting = [gift for gift in last.values() if (gift.giver, gift.receiver) == (giver, receiver)]
    often = max(fitting, key=lambda gift: (times[gift.thing], gift.statement), default=None)
    best = often or given[-1]
    others = {gift.thing: None for gift in fitting if gift != best}
    return Found(best.thing, best.told, tuple(others))


def who_gave(world: World, thing: str, receiver: str | None = None) -> Found | None:
    for gift in reversed(world.gifts):
        if gift.thing == thing and receiver in (None, gift.receiver):
            return Found(gift.giver, gift.told)
    return None


def who_received(world: World, thing: str) -> Found | None:
    return whom_given(world, None, thing)


def whom_given(world: World, giver: str | None, thing: str) -> Found | None:
    for gift in reversed(world.gifts):
        if gift.thing == thing and giver in (None, gift.giver):
            return Found(gift.receiver, gift.told)
    return None


def what_beside(world: World, side: str, spot: str) -> Found | None:
    """Return the last that was told to be on this side; only what was told counts, for spots may coincide."""
    there = [near for near in world.neighbours.get(spot, ()) if near.way == SIDES[side]]
    if not there:
        return None
    others = {near.name: None for near in there if near.name != there[-1].name}
    return Found(there[-1].name, there[-1].told, tuple(others))


def beside_what(world: World, spot: str, side: str) -> Found | None:
    opposite = OPPOSITE[SIDES[side]]
    return what_beside(world, next(s for s in SIDES if SIDES[s] == opposite), spot)


def is_beside(world: World, one: str, side: str, other: str) -> Found | None:
    """Compare where two are on the grid, each axis by itself."""
    way = _way(world.neighbours, one, other)
    if not way:
        return None
    x, y = (sum(along) for along in zip(*(STEPS[step.way] for step in way), strict=True))
    right, up = STEPS[OPPOSITE[SIDES[side]]]
    return Found("yes" if right * x + up * y > 0 else "no", _all_told(way))


def path(world: World, start: str, goal: str) -> Found | None:
    way = _way(world.neighbours, start, goal)
    return Found(",".join(step.way for step in way), _all_told(way)) if way else None


def is_bigger(world: World, one: str, other: str) -> Found | None:
    """Return "yes" if a chain of larger and larger boxes leads from the other to this one, "no" if one leads back."""
    up = _way(world.larger, other, one)
    if up:
        return Found("yes", _all_told(up)[::-1])
    down = _way(world.larger, one, other)
    return Found("no", _all_told(down)) if down else None


def does_fit(world: World, small: str, large: str) -> Found | None:
    return is_bigger(world, large, small)


def _way(steps: Mapping[str, Iterable[Neighbour]], start: str, goal: str) -> list[Neighbour]:
    """Return the shortest way from one to another, the steps told first among equals; none if there is none."""
    ways: dict[str, list[Neighbour]] = {start: []}
    ahead = deque([start])
    while ahead and goal not in ways:
        here = ahead.popleft()
        for step in steps.get(here, ()):
            if step.name not in ways:
                ways[step.name] = [*ways[here], step]
                ahead.append(step.name)
    return ways.get(goal, [])


def _all_told(way: Iterable[Neighbour]) -> Told:
    return tuple(number for step in way for number in step.told)


def afraid_of(world: World, person: str) -> Found | None:
    animal, told = world.animals.get(person, ("", 0))
    if animal not in world.fears:
        return None
    feared, feared_told = world.fears[animal]
    return Found(feared, (told, feared_told))


def what_color(world: World, person: str) -> Found | None:
    """Return the colour of a person; else that of the one of his kind who was introduced last."""
    if person in world.colors:
        color, told = world.colors[person]
        return Found(color, (told,))
    animal, told = world.animals.get(person, ("", 0))
    for other, (kind, other_told) in reversed(world.animals.items()):
        if kind == animal and other in world.colors:
            color, color_told = world.colors[other]
            return Found(color, (told, other_told, color_told))
    return None


def where_will(world: World, person: str) -> Found | None:
    mood, told = world.moods.get(person, ("", 0))
    return Found(NEEDS[mood][0], (told,)) if mood else None


def why(world: World, person: str, need: str) -> Found | None:
    mood, told = world.moods.get(person, ("", 0))
    return Found(mood, (told,)) if mood and need in NEEDS[mood] else None


_RULES: dict[str, Callable[..., Found | None]] = {
    rule.__name__: rule
    for rule in (
        where_person, where_thing, where_person_before, where_thing_before, is_in, carrying, how_many,
        what_given, who_gave, who_received, whom_given, what_beside, beside_what, is_beside, path,
        is_bigger, does_fit, afraid_of, what_color, where_will, why,
    )
}  # fmt: skip
"""How each template of a question is answered, by its name in `templates.QUESTIONS`."""
