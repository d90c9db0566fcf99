"""What a story has told so far: who was where in order, what was handled, given, placed, compared and felt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from fastweights.errors import UserError
from fastweights.tasks.babi.templates import SIDES, SINGULAR, TIMES, Clause

NOW = len(TIMES)
"""When something is that is said without a time: after all that is."""

OPPOSITE = dict(zip("nsew", "snwe", strict=True))

Told: TypeAlias = tuple[int, ...]
"""The numbers of the sentences that tell something."""


class Stay(NamedTuple):
    """What was told of where a person, or a thing, is.

    Attributes:
        places: one; two, of which one is the true one; none, where nothing is known.
        outside: whether it is everywhere but there.
        time: when, as a number that grows.
    """

    places: tuple[str, ...]
    told: Told
    outside: bool = False
    time: int = NOW

    @property
    def place(self) -> str | None:
        """The one place, if it is known."""
        return self.places[0] if len(self.places) == 1 and not self.outside else None


class Gift(NamedTuple):
    """A thing given by one to another, and which statement of the story told it."""

    giver: str
    receiver: str
    thing: str
    statement: int
    told: Told


class Neighbour(NamedTuple):
    """Something beside another, or larger: to get there from the other, go this way."""

    name: str
    way: str
    told: Told


UNKNOWN = Stay((), ())


class World:
    """All that statements have told. Each method is the action of a template in `templates.STATEMENTS`, on its words.

    Attributes:
        number: of the sentence that is being read, from 1.
        statements: how many were read.
        stays: of each person, in the order of their telling.
        rooms: of each thing, in their order.
        holder: of each thing that was handled: a person, or None where it was put down.
        handled: of each thing, the sentence that told last of its handling.
        possessions: of each person, the things that he ever had, in the order of his first having them, each with the
            sentences that tell of his getting it, putting it down, giving it or being given it.
        neighbours: of each thing on a grid, those that were told to be beside it.
        larger: of each box, those that were told to be larger.
    """

    def __init__(self) -> None:
        self.number = 0
        self.statements = 0
        self.stays: defaultdict[str, list[Stay]] = defaultdict(list)
        self.rooms: defaultdict[str, list[Stay]] = defaultdict(list)
        self.holder: dict[str, str | None] = {}
        self.handled: dict[str, int] = {}
        self.possessions: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        self.gifts: list[Gift] = []
        self.neighbours: defaultdict[str, list[Neighbour]] = defaultdict(list)
        self.larger: defaultdict[str, list[Neighbour]] = defaultdict(list)
        self.animals: dict[str, tuple[str, int]] = {}
        self.fears: dict[str, tuple[str, int]] = {}
        self.colors: dict[str, tuple[str, int]] = {}
        self.moods: dict[str, tuple[str, int]] = {}
        self._named: tuple[str, ...] = ()
        self._named_at = 0

    def tell(self, number: int, clause: Clause) -> None:
        """Take in a statement.

        Raises:
            UserError: if it has a pronoun that stands for nobody.
        """
        self.number = number
        getattr(self, clause.action)(*clause.words)
        self.statements += 1

    def last_stay(self, person: str) -> Stay:
        """Return what is known of where a person is."""
        stays = self.stays.get(person, (UNKNOWN,))
        return stays[-1] if stays[-1].time == NOW else self.in_time(person)[-1]

    def in_time(self, person: str) -> list[Stay]:
        """Return a person's stays in their true order."""
        return sorted(self.stays.get(person, ()), key=lambda stay: stay.time)

    def mentions(self, person: str) -> bool:
        """Return whether anything was told of where a person is or what he handled."""
        return person in self.stays or person in self.possessions

    def _name(self, *people: str) -> None:
        self._named, self._named_at = people, self.number

    def _arrive(self, people: Sequence[str], stay: Stay) -> None:
        """Let people be somewhere, with all that they carry."""
        for person in people:
            self.stays[person].append(stay)
            for thing in self.possessions.get(person, ()):
                if self.holder[thing] == person:
                    self.rooms[thing].append(stay)

    def go(self, person: str, place: str) -> None:
        self._name(person)
        self._arrive([person], Stay((place,), (self.number,)))

    def go_together(self, one: str, other: str, place: str) -> None:
        self._name(one, other)
        self._arrive([one, other], Stay((place,), (self.number,)))

    def go_then(self, pronoun: str, place: str) -> None:
        self._go_on(pronoun, 1, place)

    def go_then_together(self, place: str) -> None:
        self._go_on("they", 2, place)

    def _go_on(self, pronoun: str, count: int, place: str) -> None:
        if len(self._named) != count:
            named = " and ".join(self._named) or "nobody"
            raise UserError(
                f"sentence {self.number}: {pronoun!r} stands for {'one' if count == 1 else count},"
                f" but the sentence before names {named}"
            )
        self._arrive(self._named, Stay((place,), (self._named_at, self.number)))

    def at_time_go(self, time: str, person: str, place: str) -> None:
        self._name(person)
        self._arrive([person], Stay((place,), (self.number,), time=TIMES.index(time)))

    def go_at_time(self, person: str, place: str, time: str) -> None:
        self.at_time_go(time, person, place)

    def be_outside(self, person: str, place: str) -> None:
        self._name(person)
        # Who is known to be elsewhere stays there.
        if self.last_stay(person).place in (None, place):
            self._arrive([person], Stay((place,), (self.number,), outside=True))

    def be_in_either(self, person: str, place: str, other: str) -> None:
        self._name(person)
        self._arrive([person], Stay((place, other), (self.number,)))

    def get(self, person: str, thing: str) -> None:
        self._name(person)
        lies = self.holder.get(thing, person) is None
        self._meet(person, self.rooms[thing][-1] if lies else UNKNOWN)
        self._hold(person, thing)

    def drop(self, person: str, thing: str) -> None:
        self._name(person)
        self._hold(person, thing)
        self.holder[thing] = None

    def give(self, giver: str, thing: str, receiver: str) -> None:
        self._name(giver, receiver)
        self._hold(giver, thing)
        self._meet(giver, self.last_stay(receiver))
        self._meet(receiver, self.last_stay(giver))
        self._hold(receiver, thing)
        self.gifts.append(Gift(giver, receiver, thing, self.statements, (self.number,)))

    def _meet(self, person: str, stay: Stay) -> None:
        """Let a person be where he handles what is known to be there, if nothing is known of where he is."""
        if stay.place and not self.last_stay(person).place:
            self._arrive([person], Stay(stay.places, (self.number, *stay.told)))

    def _hold(self, person: str, thing: str) -> None:
        """Let a person have a thing, which is where he is."""
        rooms, stay = self.rooms[thing], self.last_stay(person)
        if rooms and rooms[-1].place == stay.place:
            rooms[-1] = stay
        else:
            rooms.append(stay)
        self.holder[thing] = person
        self.handled[thing] = self.number
        self.possessions[person].setdefault(thing, []).append(self.number)

    def be_beside(self, one: str, side: str, other: str) -> None:
        self._name()
        way = SIDES[side]
        self.neighbours[other].append(Neighbour(one, way, (self.number,)))
        self.neighbours[one].append(Neighbour(other, OPPOSITE[way], (self.number,)))

    def be_bigger(self, large: str, small: str) -> None:
        self._name()
        self.larger[small].append(Neighbour(large, "larger", (self.number,)))

    def fit(self, small: str, large: str) -> None:
        self.be_bigger(large, small)

    def be_animal(self, person: str, animal: str) -> None:
        self._name(person)
        self.animals.pop(person, None)  # so that the order is that of the last telling
        self.animals[person] = (animal, self.number)

    def fear(self, animals: str, feared: str) -> None:
        self._name()
        self.fears[SINGULAR[animals]] = (SINGULAR[feared], self.number)

    def have_color(self, person: str, color: str) -> None:
        self._name(person)
        self.colors[person] = (color, self.number)

    def have_mood(self, person: str, mood: str) -> None:
        self._name(person)
        self.moods[person] = (mood, self.number)
