"""Tasks 4 and 15 to 20: positions, sizes, fears, colours, paths and moods."""

from __future__ import annotations

from fastweights.tasks.babi.draws import Draws
from fastweights.tasks.babi.telling import Lengths, Line
from fastweights.tasks.babi.words import (
    ANIMALS,
    COLOURS,
    COMPASS,
    FEARFUL,
    GET,
    GO,
    KEEPERS,
    KINDS,
    MOODS,
    MOODY,
    ROOMS,
    SHAPES,
    SIDES,
    SIZES,
)

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Across and up, in the order of the compass."""


def relations(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 4: three rooms on a line."""
    side = draw.below(4)
    one, middle, two = draw.sample(ROOMS, 3)
    told = []
    for end, towards in ((one, side), (two, (side + 2) % 4)):
        if draw.below(3):
            told.append((end, towards, middle))
        else:
            told.append((middle, (towards + 2) % 4, end))
    told = draw.order(told)
    lines = [Line(f"the {who} is {COMPASS[way]} of the {other} .") for who, way, other in told]
    asked = draw.below(2)
    who, way, other = told[asked]
    if draw.below(2):
        words = f"what is {COMPASS[way]} of the {other} ?"
    else:
        words = f"what is the {other} {COMPASS[(way + 2) % 4]} of ?"
    return [*lines, Line(words, who, (asked + 1,))]


def fears(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 15: what a kind is afraid of, each of its kind is."""
    kinds = tuple(KINDS)
    fear: dict[str, tuple[str, int]] = {}
    is_a: dict[str, tuple[str, int]] = {}
    lines: list[Line] = []
    while len(fear) < len(kinds) or len(is_a) < len(FEARFUL):
        kind, who = draw.pick(kinds), draw.pick(FEARFUL)
        if kind not in fear:
            feared = draw.other(kinds, kind)
            lines.append(Line(f"{KINDS[kind]} are afraid of {KINDS[feared]} ."))
            fear[kind] = feared, len(lines)
        elif who not in is_a:
            lines.append(Line(f"{who} is a {kind} ."))
            is_a[who] = kind, len(lines)
    for _ in range(lengths.questions or 4):
        who = draw.pick(FEARFUL)
        kind, line = is_a[who]
        feared, because = fear[kind]
        lines.append(Line(f"what is {who} afraid of ?", feared, (line, because)))
    return lines


def colours(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 16: a new one of a kind has the colour of the one of it that was introduced last."""
    order: list[str] = []  # two clauses each, kind before colour
    while len(order) < 2 * len(KEEPERS):
        order.append(draw.other(KEEPERS, *[who for who in KEEPERS if order.count(who) == 2]))
    asked = order.pop()
    kind: dict[str, str] = {}
    while sum(kind[who] == kind[asked] for who in kind) not in (2, 4, 5):
        kind = {who: draw.pick(ANIMALS) for who in KEEPERS}
    colour: dict[str, str] = {}
    stated: dict[str, str] = {}
    lines: list[Line] = []
    introduced: dict[str, int] = {}
    coloured: dict[str, int] = {}
    for who in order:
        own = kind[who]
        if who not in introduced:
            lines.append(Line(f"{who} is a {own} ."))
            introduced[who] = len(lines)
            colour[own] = draw.pick(COLOURS)  # for those of the kind who tell theirs from now on
        else:
            stated[who] = colour[own]
            lines.append(Line(f"{who} is {stated[who]} ."))
            coloured[who] = len(lines)
    last = [who for who in introduced if who != asked and kind[who] == kind[asked]][-1]
    supports = introduced[asked], introduced[last], coloured[last]
    part = draw.below(3) if lengths.subquestions else 2
    if part == 0:
        who = draw.pick(sorted(stated))
        return [*lines, Line(f"what color is {who} ?", stated[who], (coloured[who],))]
    about = kind[asked] if part == 1 else asked
    return [*lines, Line(f"what color is {about} ?", stated[last], supports[2 - part :])]


def positions(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 17: two shapes, each beside a third; strict on each axis."""
    middle, *ends = draw.sample(SHAPES, 3)
    sides = draw.sample(range(4), 2)
    told = []
    for end, side in zip(ends, sides, strict=True):
        if draw.below(3):
            words = f"the {middle} is {SIDES[(side + 2) % 4]} the {end} ."
        else:
            words = f"the {end} is {SIDES[side]} the {middle} ."
        told.append((words, end))
    told = draw.order(told)
    lines = [Line(words) for words, _ in told]
    at = {end: STEPS[side] for end, side in zip(ends, sides, strict=True)}
    line = {end: number for number, (_, end) in enumerate(told, start=1)}
    for _ in range(lengths.questions or 8):
        one, two = draw.order(ends)
        across, up = at[one][0] - at[two][0], at[one][1] - at[two][1]
        true = [side for side, (x, y) in enumerate(STEPS) if across * x > 0 or up * y > 0]
        if draw.below(2):
            side, answer = draw.pick(true), "yes"
        else:
            side, answer = draw.other(range(4), *true), "no"
        words = f"is the {one} {SIDES[side]} the {two} ?"
        lines.append(Line(words, answer, (line[one], line[two])))
    return lines


def sizes(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 18: what is bigger than another is bigger than what that is bigger than."""
    things = (*SIZES[:2], *draw.order(SIZES[2:]))
    pairs = [(a, b) for b in range(len(things)) for a in range(b)]
    lines: list[Line] = []
    told: list[tuple[int, int]] = []
    chains: list[tuple[int, int]] = []
    while not chains:
        for _ in range(5):
            a, b = draw.pick(pairs)
            told.append((a, b))
            if draw.below(2):
                lines.append(Line(f"the {things[b]} is bigger than the {things[a]} ."))
            else:
                lines.append(Line(f"the {things[a]} fits inside the {things[b]} ."))
        chains = [
            (low + 1, high + 1)
            for low, (_, middle) in enumerate(told)
            for high, (other, _) in enumerate(told)
            if middle == other
        ]
    same = draw.below(3) == 0
    for _ in range(lengths.questions or 5):
        low, high = chains[0] if same else draw.pick(chains)
        small, large = things[told[low - 1][0]], things[told[high - 1][1]]
        words, answer = (
            (f"is the {large} bigger than the {small} ?", "yes"),
            (f"is the {small} bigger than the {large} ?", "no"),
            (f"does the {small} fit in the {large} ?", "yes"),
            (f"does the {large} fit in the {small} ?", "no"),
        )[draw.below(4)]
        lines.append(Line(words, answer, (high, low) if answer == "yes" else (low, high)))
    return lines


PATH_PLACES = {
    (4, 5): 172,
    (3, 5): 146,
    (2, 5): 138,
    (1, 5): 116,
    (3, 4): 93,
    (2, 4): 79,
    (1, 4): 71,
    (2, 3): 66,
    (1, 3): 62,
    (1, 2): 57,
}
"""Lines of the two sentences that make the path, with how often of 1,000."""


def paths(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 19: two steps through told neighbours, and three rooms beside the way; two may fall on one place."""
    start, middle, goal, *others = draw.order(ROOMS)
    first = draw.below(4)
    second = draw.other(range(4), (first + 2) % 4)
    sides = {start: {first}, middle: {(first + 2) % 4, second}, goal: {(second + 2) % 4}}
    steps = []
    for room, way, new in ((start, first, middle), (middle, second, goal)):
        steps.append((room, way, new) if draw.below(2) else (new, (way + 2) % 4, room))
    free = [(room, way) for room, taken in sides.items() for way in range(4) if way not in taken]
    beside = []
    for new, (room, way) in zip(others, draw.sample(free, len(others)), strict=True):
        from_new = draw.below(11) < 8
        beside.append((room, way, new) if from_new else (new, (way + 2) % 4, room))
    places = tuple(PATH_PLACES)[draw.weighted(tuple(PATH_PLACES.values()))]
    at = draw.order(places)  # of the first step and of the second
    told = draw.order(beside)
    for place, step in sorted(zip(at, steps, strict=True)):
        told.insert(place - 1, step)
    lines = [Line(f"the {new} is {COMPASS[way]} of the {room} .") for room, way, new in told]
    answer = f"{COMPASS[first][0]},{COMPASS[second][0]}"
    asked = f"how do you go from the {start} to the {goal} ?"
    return [*lines, Line(asked, answer, tuple(at))]


def moods(draw: Draws, lengths: Lengths) -> list[Line]:
    """Task 20: people in a mood go where it can be helped, and take what helps if it is still there."""
    mood = {who: draw.pick(tuple(MOODS)) for who in MOODY}
    done: dict[str, int] = dict.fromkeys(MOODY, 0)
    said: dict[str, int] = {}
    taken: set[str] = set()
    lines: list[Line] = []
    while busy := [w for w in MOODY if done[w] < 2 or (done[w] == 2 and mood[w] not in taken)]:
        who = draw.pick(busy)
        own = mood[who]
        place, thing = MOODS[own]
        if done[who] == 0:
            lines.append(Line(f"{who} is {own} ."))
            said[who] = len(lines)
            asked, answer = f"where will {who} go ?", place
        elif done[who] == 1:
            lines.append(Line(f"{who} {draw.pick(GO)} to the {place} ."))
            asked, answer = f"why did {who} go to the {place} ?", own
        else:
            lines.append(Line(f"{who} {draw.pick(GET)} the {thing} there ."))
            asked, answer = f"why did {who} get the {thing} ?", own
            taken.add(own)
        done[who] += 1
        lines.append(Line(asked, answer, (said[who],)))
    return lines


TOLD = {4: relations, 15: fears, 16: colours, 17: positions, 18: sizes, 19: paths, 20: moods}
