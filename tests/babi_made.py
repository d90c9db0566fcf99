"""A small release of bAbI's form, with stories of our own that are true to each task: for tests that need no data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

Line = tuple[str, str | None]
"""A sentence and, of a question, the answer."""

PEOPLE = ("Daniel", "John", "Mary", "Sandra")
OTHERS = ("Bill", "Fred", "Julie", "Mary")
ROOMS = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
THINGS = ("apple", "football", "milk")
NUMBERS = ("none", "one", "two", "three")
FOLDERS = {"10k": "en-valid-10k", "1k": "en-valid"}


def make_release(
    folder: Path,
    stories: int = 12,
    *,
    tasks: Sequence[int] = tuple(range(1, 21)),
    size: str = "10k",
    seed: int = 0,
) -> Path:
    """Write a release and return its folder.

    Args:
        folder: where `tasks_1-20_v1-2` is to be.
        stories: train stories of each task, 2 or more; validation and test have half as many, but at least 2.
        tasks: which of the 20.
        size: "10k" or "1k", for the name of the folder.
        seed: of the stories.
    """
    release = folder / "tasks_1-20_v1-2"
    (release / FOLDERS[size]).mkdir(parents=True)
    for task in tasks:
        for split, count in (("train", stories), ("valid", stories // 2), ("test", stories // 2)):
            random = Random(f"{seed} {task} {split}")
            text = "".join(_numbered(story(task, random)) for _ in range(max(count, 2)))
            (release / FOLDERS[size] / f"qa{task}_{split}.txt").write_text(text)
    return release


def story(task: int, random: Random) -> list[Line]:
    """Make a story of a task, whose answers follow from it."""
    return list(_STORIES[task](task, random))


def _numbered(lines: Sequence[Line]) -> str:
    return "".join(
        f"{n} {text}\n" if answer is None else f"{n} {text} \t{answer}\t1\n"
        for n, (text, answer) in enumerate(lines, start=1)
    )


def _moved(random: Random) -> str:
    return random.choice(("went to", "moved to", "travelled to", "went back to", "journeyed to"))


def _wandering(task: int, random: Random) -> Iterator[Line]:
    """Tasks 1, 6, 9, 10, 11, 12, 13: people go about, one or two at a time; where are they?"""
    people, rooms = (OTHERS, TOWN) if task == 10 else (PEOPLE, ROOMS)
    maybe: dict[str, dict[str, str]] = {}
    for _ in range(5):
        walkers = random.sample(people, 2 if task in (12, 13) else 1)
        here, there = random.sample(rooms, 2)
        state = {here: "yes"}
        if task == 9 and random.random() < 0.5:
            yield f"{walkers[0]} is no longer in the {here}.", None
            state = {here: "no"}
        elif task == 10 and random.random() < 0.5:
            yield f"{walkers[0]} is either in the {here} or the {there}.", None
            state = {here: "maybe", there: "maybe"}
        else:
            yield f"{' and '.join(walkers)} {_moved(random)} the {here}.", None
        if task in (11, 13):
            they = "they" if task == 13 else "she" if walkers[0] in ("Mary", "Sandra") else "he"
            yield f"Then {they} {_moved(random)} the {there}.", None
            state = {there: "yes"}
        maybe |= dict.fromkeys(walkers, state)
        asked = random.choice(list(maybe))
        if task in (6, 9, 10):
            known = list(maybe[asked])
            room = random.choice(known if "no" in maybe[asked].values() else [*known, *rooms])
            yield f"Is {asked} in the {room}?", maybe[asked].get(room, "no")
        else:
            yield f"Where is {asked}?", next(iter(maybe[asked]))


def _carrying(task: int, random: Random) -> Iterator[Line]:
    """Tasks 2, 3, 7, 8: people take things about and leave them; where are they, how many, which?"""
    held: dict[str, list[str]] = {who: [] for who in PEOPLE}
    at = dict.fromkeys(PEOPLE, "")
    been: dict[str, list[str]] = {}
    for _ in range(4):
        who, thing = random.choice(PEOPLE), random.choice(THINGS)
        rooms = random.sample([room for room in ROOMS if room != at[who]], 2)
        for taking, room in zip((True, False), rooms, strict=True):
            at[who] = room
            yield f"{who} {_moved(random)} the {room}.", None
            for carried in held[who]:
                been[carried].append(room)
            if taking and thing not in been:
                yield f"{who} got the {thing} there.", None
                held[who].append(thing)
                been[thing] = [room]
        if held[who] and random.random() < 0.5:
            yield f"{who} left the {held[who].pop(0)}.", None
        if task == 7:
            yield f"How many objects is {who} carrying?", NUMBERS[len(held[who])]
        elif task == 8:
            yield f"What is {who} carrying?", ",".join(held[who]) or "nothing"
        else:
            thing = random.choice(list(been))
            before, now = been[thing][-2:]
            asked = "Where is the {}?" if task == 2 else "Where was the {} before the {}?"
            yield asked.format(thing, now), now if task == 2 else before


def _two_rooms(task: int, random: Random) -> Iterator[Line]:
    """Task 4: one direction between two rooms."""
    here, there = random.sample(ROOMS, 2)
    side = random.choice(("north", "east", "south", "west"))
    yield f"The {here} is {side} of the {there}.", None
    yield f"What is {side} of the {there}?", here
    yield f"What is the {here} {side} of?", there


def _giving(task: int, random: Random) -> Iterator[Line]:
    """Task 5: who gave what to whom."""
    for _ in range(3):
        giver, taker = random.sample(("Bill", "Fred", "Jeff", "Mary"), 2)
        thing = random.choice(THINGS)
        yield f"{giver} {random.choice(('gave', 'handed', 'passed'))} the {thing} to {taker}.", None
        yield f"What did {giver} give to {taker}?", thing
        yield f"Who gave the {thing}?", giver.lower()


def _times(task: int, random: Random) -> Iterator[Line]:
    """Task 14: the order of the day, not of the sentences."""
    who = random.choice(OTHERS)
    first, second = random.sample(TOWN, 2)
    lines = [f"Yesterday {who} went to the {first}.", f"This morning {who} went to the {second}."]
    random.shuffle(lines)
    yield from ((line, None) for line in lines)
    yield f"Where was {who} before the {second}?", first


def _afraid(task: int, random: Random) -> Iterator[Line]:
    """Task 15: what holds of wolves holds of this wolf."""
    kinds = {"cat": "cats", "mouse": "mice", "sheep": "sheep", "wolf": "wolves"}
    one, other = random.sample(list(kinds), 2)
    who = random.choice(("Emily", "Gertrude", "Jessica", "Winona"))
    yield f"{kinds[one].capitalize()} are afraid of {kinds[other]}.", None
    yield f"{who} is a {one}.", None
    yield f"What is {who.lower()} afraid of?", other


def _colours(task: int, random: Random) -> Iterator[Line]:
    """Task 16: what is true of one swan is taken to be true of the next."""
    first, second = random.sample(("Bernhard", "Brian", "Greg", "Julius", "Lily"), 2)
    animal = random.choice(("frog", "lion", "rhino", "swan"))
    colour = random.choice(("gray", "green", "white", "yellow"))
    yield f"{first} is a {animal}.", None
    yield f"{first} is {colour}.", None
    yield f"{second} is a {animal}.", None
    yield f"What color is {second}?", colour


def _positions(task: int, random: Random) -> Iterator[Line]:
    """Task 17: above is not below."""
    shapes = ("red sphere", "blue square", "yellow square", "pink rectangle", "triangle")
    one, other = random.sample(shapes, 2)
    yield f"The {one} is above the {other}.", None
    yield f"Is the {one} above the {other}?", "yes"
    yield f"Is the {one} below the {other}?", "no"


def _sizes(task: int, random: Random) -> Iterator[Line]:
    """Task 18: what is bigger holds what is smaller."""
    small, middle, large = random.sample(("box", "chest", "container", "suitcase"), 3)
    yield f"The {large} is bigger than the {middle}.", None
    yield f"The {small} fits inside the {middle}.", None
    yield f"Does the {small} fit in the {large}?", "yes"
    yield f"Is the {small} bigger than the {large}?", "no"


def _paths(task: int, random: Random) -> Iterator[Line]:
    """Task 19: two steps on a map."""
    steps = random.choices(("north", "east", "south", "west"), k=2)
    places = random.sample(ROOMS, 3)
    facts = [f"The {places[i + 1]} is {steps[i]} of the {places[i]}." for i in range(2)]
    random.shuffle(facts)
    yield from ((fact, None) for fact in facts)
    answer = f"{steps[0][0]},{steps[1][0]}"
    yield f"How do you go from the {places[0]} to the {places[2]}?", answer


def _motives(task: int, random: Random) -> Iterator[Line]:
    """Task 20: the hungry go to the kitchen."""
    places = {"hungry": "kitchen", "thirsty": "kitchen", "bored": "garden", "tired": "bedroom"}
    who, why = random.choice(("Antoine", "Jason", "Sumit", "Yann")), random.choice(list(places))
    yield f"{who} is {why}.", None
    yield f"Where will {who.lower()} go?", places[why]
    yield f"{who} went to the {places[why]}.", None
    yield f"Why did {who.lower()} go to the {places[why]}?", why


_STORIES = {
    **dict.fromkeys((1, 6, 9, 10, 11, 12, 13), _wandering),
    **dict.fromkeys((2, 3, 7, 8), _carrying),
    **{4: _two_rooms, 5: _giving, 14: _times, 15: _afraid, 16: _colours, 17: _positions},
    **{18: _sizes, 19: _paths, 20: _motives},
}
