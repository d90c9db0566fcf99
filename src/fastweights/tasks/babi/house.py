"""Tasks 1-3 and 5-8: people who go about a house, take things, put them down, and give them to each other."""

from __future__ import annotations

from fastweights.tasks.babi.draws import Draws
from fastweights.tasks.babi.handling import Carriage, Clause, Gift
from fastweights.tasks.babi.telling import Lengths, Line, Telling
from fastweights.tasks.babi.words import COUNTS, DROP, GET, GIVE, GO, World


class House(Telling[Clause]):
    """A story in a house.

    Args:
        draw: of the story.
        task: 1 to 3 or 5 to 8.
        world: who and what is in it.
        lengths: how much is asked.
    """

    __slots__ = (
        *("acts", "carriage", "gifts", "given", "goes", "handled", "held", "lies"),
        *("room", "there", "world"),
    )

    def __init__(self, draw: Draws, task: int, world: World, lengths: Lengths) -> None:
        super().__init__(draw, lengths)
        self.world, self.there = world, 5 if task == 3 else 1
        self.acts = ACTS[task]
        self.room = {who: draw.pick(world.places) for who in world.people}
        self.lies: dict[str, str] = {thing: draw.pick(world.places) for thing in world.things}
        self.held: dict[str, list[str]] = {who: [] for who in world.people}
        self.goes: dict[str, list[tuple[str, int]]] = {who: [] for who in world.people}
        self.handled: dict[str, dict[str, list[int]]] = {who: {} for who in world.people}
        self.carriage: dict[str, Carriage] = {}
        self.gifts: dict[str, Gift] = {}
        self.given: list[Gift] = []

    def tell(self) -> None:
        """Tell two sentences; what turns out to be impossible is drawn anew, all of it."""
        pick, acts, people = self.draw.pick, self.acts, self.world.people
        for _ in range(2):
            while not pick(acts)(self, pick(people)):
                pass

    def go(self, who: str) -> bool:
        place = self.draw.pick(self.world.places)
        if place == self.room[who]:
            return False
        self.room[who] = place
        line = self.say(f"{who} {self.draw.pick(GO)} to the {place} .")
        self.goes[who].append((place, line))
        self.clauses.append(("go", who, ""))
        return True

    def get(self, who: str) -> bool:
        room = self.room[who]
        here = [thing for thing, place in self.lies.items() if place == room]
        if not here:
            return False
        thing = self.draw.pick(here)
        del self.lies[thing]
        there = " there" if self.draw.below(self.there) == 0 else ""
        line = self.say(f"{who} {self.draw.pick(GET)} the {thing}{there} .")
        self._comes(who, thing, line)
        self.clauses.append(("get", who, thing))
        return True

    def drop(self, who: str) -> bool:
        if not self.held[who]:
            return False
        thing = self.draw.pick(self.held[who])
        self.lies[thing] = self.room[who]
        there = " there" if self.draw.below(5) == 0 else ""
        line = self.say(f"{who} {self.draw.pick(DROP)} the {thing}{there} .")
        self._leaves(who, thing, line)
        self.clauses.append(("drop", who, thing))
        return True

    def give(self, _: str) -> bool:
        """Give the first thing whose holder has company to the first of the company, whoever was drawn."""
        for thing in self.world.things:
            if thing in self.lies:
                continue
            who = self.carriage[thing].who
            room = self.room[who]
            for to in self.world.people:
                if self.room[to] == room and to != who:
                    line = self.say(f"{who} {self.draw.pick(GIVE)} the {thing} to {to} .")
                    self._leaves(who, thing, line)
                    self._comes(to, thing, line)
                    self.gifts[thing] = Gift(who, to, thing, line, len(self.clauses))
                    self.given.append(self.gifts[thing])
                    self.clauses.append(("give", who, thing))
                    return True
        return False

    def _comes(self, who: str, thing: str, line: int) -> None:
        self.held[who].append(thing)
        self.handled[who].setdefault(thing, []).append(line)
        self.carriage[thing] = Carriage(who, line, len(self.goes[who]))

    def _leaves(self, who: str, thing: str, line: int) -> None:
        self.held[who].remove(thing)
        self.handled[who][thing].append(line)
        begin = self.carriage[thing].begin
        self.carriage[thing] = Carriage(who, line, begin, len(self.goes[who]))

    def where_is_person(self, clause: Clause) -> Line:
        """Task 1."""
        place, line = self.goes[clause[1]][-1]
        return Line(f"where is {clause[1]} ?", place, (line,))

    def where_is_thing(self, clause: Clause) -> Line | None:
        """Task 2: of a thing put down in a known room, or of one whose holder has gone with it."""
        thing = clause[2]
        if not thing:
            return None
        who, line, begin, end = self.carriage[thing]
        goes = self.goes[who][:end]
        if len(goes) <= (begin if end is None else 0):
            return None
        place, went = goes[-1]
        return Line(f"where is the {thing} ?", place, (line, went))

    def where_was_thing(self, clause: Clause) -> Line | None:
        """Task 3: before a room to which its holder took it, and to which it did not come again."""
        thing = clause[2]
        if not thing:
            return None
        who, line, begin, end = self.carriage[thing]
        goes = self.goes[who][begin:end]
        if len(goes) < 2:
            return None
        rooms = [place for place, _ in goes]
        last = [i for i in range(1, len(goes)) if rooms[i] not in rooms[i + 1 :]]
        if not last:
            return None
        at = self.draw.pick(last)
        supports = (line, goes[at][1], goes[at - 1][1])
        return Line(f"where was the {thing} before the {rooms[at]} ?", rooms[at - 1], supports)

    def who_gave(self, clause: Clause) -> Line | None:
        """Task 5: about a thing's last gift, unless "what did" could mean another."""
        if clause[0] != "give":
            return None
        gift = self.gifts[clause[2]]
        who, to, thing, line, _ = gift
        form = self.draw.below(6)
        if form < 2:
            if self._ambiguous(gift):
                return None
            return Line(f"what did {who} give to {to} ?", thing, (line,))
        if form == 2:
            return Line(f"who gave the {thing} ?", who, (line,))
        if form == 3:
            return Line(f"who gave the {thing} to {to} ?", who, (line,))
        if form == 4:
            return Line(f"who received the {thing} ?", to, (line,))
        return Line(f"who did {who} give the {thing} to ?", to, (line,))

    def _ambiguous(self, gift: Gift) -> bool:
        """Return whether anything went from the same to the same later, or another thing last so in the window."""
        window = self.lengths.window
        begin = len(self.clauses) - window if window else 0
        return any(
            other.who == gift.who
            and other.to == gift.to
            and (other.at > gift.at or (other.at >= begin and other is self.gifts[other.thing]))
            for other in self.given
            if other is not gift
        )

    def is_in(self, clause: Clause) -> Line | None:
        """Task 6."""
        kind, who, _ = clause
        if kind != "go":
            return None
        place, line = self.goes[who][-1]
        if self.draw.below(2):
            return Line(f"is {who} in the {place} ?", "yes", (line,))
        other = self.draw.other(self.world.places, place)
        return Line(f"is {who} in the {other} ?", "no", (line,))

    def how_many(self, clause: Clause) -> Line | None:
        """Task 7."""
        kind, who, _ = clause
        if kind == "go":
            return None
        supports = sorted(line for lines in self.handled[who].values() for line in lines)
        count = COUNTS[len(self.held[who])]
        return Line(f"how many objects is {who} carrying ?", count, tuple(supports))

    def what_carried(self, clause: Clause) -> Line | None:
        """Task 8: in the order in which this person first got each."""
        kind, who, _ = clause
        if kind == "go":
            return None
        supports = tuple(line for lines in self.handled[who].values() for line in lines)
        held = [thing for thing in self.handled[who] if thing in self.held[who]]
        return Line(f"what is {who} carrying ?", ",".join(held) or "nothing", supports)


ACTS = {
    1: (House.go,),
    **dict.fromkeys((2, 3, 6, 8), (House.go, House.get, House.drop)),
    **dict.fromkeys((5, 7), (House.go, House.get, House.drop, House.give)),
}
"""What may happen in each task."""

ASKED = {
    1: House.where_is_person,
    2: House.where_is_thing,
    3: House.where_was_thing,
    5: House.who_gave,
    6: House.is_in,
    7: House.how_many,
    8: House.what_carried,
}


def tell(draw: Draws, task: int, world: World, lengths: Lengths) -> list[Line]:
    """Tell a story of tasks 1 to 3 or 5 to 8."""
    house = House(draw, task, world, lengths)
    return house.by_blocks(house.tell, ASKED[task].__get__(house))
