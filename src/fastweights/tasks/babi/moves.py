"""Tasks 9 to 14: people who move about, in sentences that say so in other ways."""

from __future__ import annotations

from typing import NamedTuple

from fastweights.tasks.babi.draws import Draws
from fastweights.tasks.babi.telling import Lengths, Line, Telling
from fastweights.tasks.babi.words import GO, THEN, TIMES, WOMEN, World


class Said(NamedTuple):
    """What the last sentence about somebody says.

    Attributes:
        lines: where it stands, with the one before it if it goes on from that.
        places: that it names.
        denied: whether the person is not there.
    """

    lines: tuple[int, ...]
    places: tuple[str, ...] = ()
    denied: bool = False


class Moves(Telling[str]):
    """People who move; a clause is about a person.

    Args:
        draw: of the story.
        world: who and where.
        lengths: how much is asked.
    """

    __slots__ = ("place", "said", "world")

    def __init__(self, draw: Draws, world: World, lengths: Lengths) -> None:
        super().__init__(draw, lengths)
        self.world = world
        self.place = {who: draw.pick(world.places) for who in world.people}
        self.said: dict[str, Said] = {}

    def goes(self, place: str) -> str:
        return f"{self.draw.pick(GO)} to the {place}"

    def moved(self, *people: str) -> str:
        """Move people to a place where none of them is, and return it."""
        place = self.draw.other(self.world.places, *[self.place[who] for who in people])
        self.place.update(dict.fromkeys(people, place))
        return place

    def where_is(self, who: str) -> Line:
        return Line(f"where is {who} ?", self.place[who], self.said[who].lines)

    def negated(self) -> None:
        """Task 9: two sentences, a quarter of which say where somebody is not any more."""
        for _ in range(2):
            who = self.draw.pick(self.world.people)
            old = self.place[who]
            new = self.moved(who)
            form = self.draw.below(8)
            if form < 4:
                words = f"{who} {self.goes(new)} ."
            elif form < 6:
                words = f"{who} is in the {new} ."
            else:
                words = f"{who} is {('not', 'no longer')[form - 6]} in the {old} ."
            self.said[who] = Said((self.say(words),), (old if form >= 6 else new,), form >= 6)
            self.clauses.append(who)

    def is_in(self, who: str) -> Line:
        """Task 9: about the place of the last sentence, or half of the time, where it says where one is, another."""
        lines, (place,), denied = self.said[who]
        if not denied and self.draw.below(2):
            place, denied = self.draw.other(self.world.places, place), True
        return Line(f"is {who} in the {place} ?", "no" if denied else "yes", lines)

    def undecided(self) -> None:
        """Task 10: two sentences, a quarter of which leave open which of two places it is."""
        for _ in range(2):
            who = self.draw.pick(self.world.people)
            new = self.moved(who)
            form, places = self.draw.below(4), (new,)
            if form < 2:
                words = f"{who} {self.goes(new)} ."
            elif form == 2:
                words = f"{who} is in the {new} ."
            else:
                one, two = self.draw.order((new, self.draw.pick(self.world.places)))
                words, places = f"{who} is either in the {one} or the {two} .", (one, two)
            self.said[who] = Said((self.say(words),), places)
            self.clauses.append(who)

    def may_be_in(self, who: str) -> Line:
        """Task 10: about the true place, or half of the time another."""
        lines, places, _ = self.said[who]
        place = self.place[who]
        if self.draw.below(2):
            place = self.draw.other(self.world.places, place)
        answer = "no" if place not in places else "yes" if len(places) == 1 else "maybe"
        return Line(f"is {who} in the {place} ?", answer, lines)

    def then_alone(self) -> None:
        """Task 11: somebody moves, and moves again as "he" or "she"."""
        who = self.draw.pick(self.world.people)
        first = self.say(f"{who} {self.goes(self.moved(who))} .")
        he = "she" if who in WOMEN else "he"
        second = self.say(f"{self.draw.pick(THEN)} {he} {self.goes(self.moved(who))} .")
        self.said[who] = Said((first, second))
        self.clauses += (who, who)

    def _pair(self) -> tuple[str, str, str]:
        """Draw two people and a place where neither is, all of it anew until it is so; move them."""
        while True:
            one, two = self.draw.sample(self.world.people, 2)
            place = self.draw.pick(self.world.places)
            if place not in (self.place[one], self.place[two]):
                self.place[one] = self.place[two] = place
                return one, two, place

    def in_pairs(self) -> None:
        """Task 12: two sentences about two people each."""
        for _ in range(2):
            one, two, place = self._pair()
            line = self.say(f"{one} and {two} {self.goes(place)} .")
            self.said[one] = self.said[two] = Said((line,))
            self.clauses += (one, two)

    def then_in_pairs(self) -> None:
        """Task 13: two people move, and move again as "they"."""
        one, two, place = self._pair()
        first = self.say(f"{one} and {two} {self.goes(place)} .")
        second = self.say(f"{self.draw.pick(THEN)} they {self.goes(self.moved(one, two))} .")
        self.said[one] = self.said[two] = Said((first, second))
        self.clauses += (one, two, one, two)


class Days(Telling[tuple[str, int]]):
    """Task 14: what people did at four times of a day and a half, told out of order; a clause is a person's k-th move.

    Args:
        draw: of the story.
        world: who and where.
        lengths: how much is asked.
    """

    __slots__ = ("fresh", "line", "moves", "world")

    def __init__(self, draw: Draws, world: World, lengths: Lengths) -> None:
        super().__init__(draw, lengths)
        self.world = world
        self.moves: dict[str, list[str]] = {who: [] for who in world.people}
        self.line: dict[tuple[str, int], int] = {}
        self.fresh: list[tuple[str, int]] = []  # moves since the last question, in true order

    def tell(self) -> None:
        """Tell two moves, or as many as are left."""
        for _ in range(2):
            free = [who for who, moves in self.moves.items() if len(moves) < len(TIMES)]
            if free:
                who = self.draw.pick(free)
                moves = self.moves[who]
                moves.append(self.draw.other(self.world.places, *moves[-1:]))
                self.fresh.append((who, len(moves) - 1))
                self.clauses.append(self.fresh[-1])

    def ask(self, clause: tuple[str, int]) -> Line | None:
        who, k = clause
        moves = self.moves[who]
        if k == 0 or moves[k] in moves[k + 1 :]:
            return None
        self._write()
        supports = self.line[who, k], self.line[who, k - 1]
        return Line(f"where was {who} before the {moves[k]} ?", moves[k - 1], supports)

    def _write(self) -> None:
        """Write what is not yet written, so that nobody keeps his place."""
        count = len(self.fresh)
        places = list(range(count))
        while count > 1 and any(place == at for at, place in enumerate(places)):
            places = self.draw.order(places)
        for place in places:
            who, k = self.fresh[place]
            words = f"{who} {self.draw.pick(GO)} to the {self.moves[who][k]}"
            time = TIMES[k]
            first = self.draw.below(2)
            self.line[self.fresh[place]] = self.say(
                f"{time} {words} ." if first else f"{words} {time} ."
            )
        self.fresh = []


ACTS = {
    9: (Moves.negated, Moves.is_in),
    10: (Moves.undecided, Moves.may_be_in),
    11: (Moves.then_alone, Moves.where_is),
    12: (Moves.in_pairs, Moves.where_is),
    13: (Moves.then_in_pairs, Moves.where_is),
}
"""What each task tells in a block, and what it asks."""


def tell(draw: Draws, task: int, world: World, lengths: Lengths) -> list[Line]:
    """Tell a story of tasks 9 to 14."""
    if task == 14:
        days = Days(draw, world, lengths)
        return days.by_blocks(days.tell, days.ask)
    moves = Moves(draw, world, lengths)
    told, asked = ACTS[task]
    return moves.by_blocks(told.__get__(moves), asked.__get__(moves))
