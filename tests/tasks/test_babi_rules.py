"""Each task's rules, read back from made stories by short readers: what happens can happen, and answers are true."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from fastweights.tasks.babi import Line, Story, story

NUMBERS = st.integers(0, 2**62)
NAMES = st.sampled_from(("release", "any"))
GO = re.compile(r"(\w+) (?:went|moved|journeyed|travelled|went back) to the (\w+) \.")
GET = re.compile(r"(\w+) (?:took|got|grabbed|picked up) the (\w+)( there)? \.")
DROP = re.compile(r"(\w+) (?:dropped|left|discarded|put down) the (\w+)( there)? \.")
GIVE = re.compile(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+) \.")


def questions(made: Story) -> Iterator[tuple[int, Line]]:
    return ((at, line) for at, line in enumerate(made.lines) if line.answer is not None)


def told(made: Story, before: int) -> list[tuple[int, str]]:
    return [(n, x.words) for n, x in enumerate(made.lines[:before], 1) if x.answer is None]


class Read:
    """A house as a reader sees it: who is where as far as that was told, and what happened to each thing."""

    def __init__(self, sentences: list[tuple[int, str]]) -> None:
        self.rooms: dict[str, list[tuple[int, str]]] = {}
        self.holder: dict[str, str] = {}
        self.lies: dict[str, str | None] = {}
        self.story: dict[str, list[tuple[int, str, str]]] = {}
        self.gifts: list[tuple[int, str, str, str]] = []
        for number, words in sentences:
            self.read(number, words)

    def room(self, who: str) -> str | None:
        return self.rooms[who][-1][1] if who in self.rooms else None

    def read(self, number: int, words: str) -> None:
        if match := GO.fullmatch(words):
            assert match[2] != self.room(match[1]), "nobody goes where he is"
            self.rooms.setdefault(match[1], []).append((number, match[2]))
        elif match := GET.fullmatch(words):
            who, thing = match[1], match[2]
            assert thing not in self.holder, "nobody takes from a person"
            lay, here = self.lies.get(thing), self.room(who)
            assert lay is None or here is None or lay == here, "a thing is taken where it lies"
            self.holder[thing] = who
            self.story.setdefault(thing, []).append((number, "get", who))
        elif match := DROP.fullmatch(words):
            assert self.holder.pop(match[2]) == match[1], "who drops a thing has it"
            self.lies[match[2]] = self.room(match[1])
            self.story[match[2]].append((number, "drop", match[1]))
        else:
            match = GIVE.fullmatch(words)
            assert match, words
            who, thing, to = match.groups()
            assert self.holder[thing] == who != to, "who gives a thing has it"
            one, two = self.room(who), self.room(to)
            assert one is None or two is None or one == two, "gifts are among people in a room"
            self.holder[thing] = to
            self.story[thing].append((number, "give", who))
            self.gifts.append((number, who, thing, to))

    def path(self, thing: str) -> list[tuple[int, str]]:
        """Return where the thing's holder went with it since it was last taken."""
        begin = max(number for number, what, _ in self.story[thing] if what == "get")
        end, _, who = self.story[thing][-1]
        end = end if thing not in self.holder else 10**9
        return [(number, room) for number, room in self.rooms.get(who, []) if begin < number < end]


@given(st.sampled_from((1, 2, 3, 5, 6, 7, 8)), NUMBERS, NAMES)
def test_houses(task, number, names):
    made = story(task, number, names=names)
    for at, line in questions(made):
        read, words = Read(told(made, at)), line.words.split()
        facts = [made.lines[n - 1].words for n in line.supports]
        if task == 1:
            assert read.rooms[words[2]][-1] == (*line.supports, line.answer)
        elif task == 2:
            _, what, who = read.story[words[3]][-1]
            place = read.path(words[3])[-1][1] if what == "get" else read.lies[words[3]]
            assert line.answer == place and line.supports[0] == read.story[words[3]][-1][0]
        elif task == 3:
            path = read.path(words[3])
            last = max(i for i, (_, room) in enumerate(path) if room == words[6])
            assert last > 0 and line.answer == path[last - 1][1]
            assert line.supports == (read.story[words[3]][-1][0], path[last][0], path[last - 1][0])
        elif task == 5:
            assert line.answer in given_answers(read, line.words)
            assert line.supports[0] == max(
                n for n, *gift in read.gifts if gift[1] in facts[0].split()
            )
        elif task == 6:
            assert line.answer == ("yes" if read.room(words[1]) == words[4] else "no")
        else:
            who = words[4] if task == 7 else words[2]
            held = [thing for thing, holder in read.holder.items() if holder == who]
            if task == 7:
                assert line.answer == ("none", "one", "two", "three")[len(held)]
            else:
                assert line.answer == (
                    ",".join(sorted(held, key=first_got(read, who))) or "nothing"
                )


def first_got(read: Read, who: str):
    return lambda thing: min(n for n, what, by in read.story[thing] if (what, by) == ("get", who))


def given_answers(read: Read, asked: str) -> set[str]:
    """Return what was given, by whom and to whom, of the gifts that a question can mean: one by its last gift alone."""
    who, thing, to = (
        re.search(pattern, asked)
        for pattern in (r"did (\w+) give", r"the (\w+)", r" to (\w+) \?|$")
    )
    last = {what: gift for gift in read.gifts for what in [gift[2]]}
    if thing:
        _, giver, _, taker = last[thing[1]]
        return {taker if "received" in asked or asked.endswith("to ?") else giver}
    return {[what for _, giver, what, taker in read.gifts if (giver, taker) == (who[1], to[1])][-1]}


@given(st.sampled_from(range(9, 14)), NUMBERS, NAMES)
def test_moves(task, number, names):
    made = story(task, number, names=names)
    for at, line in questions(made):
        said: dict[str, str] = {}
        last: list[str] = []
        for _, words in told(made, at):
            named = re.match(r"(\w+)(?: and (\w+))? (?:went|moved|journ|trav|is)", words)
            again = re.match(
                r"(?:then|afterwards|after that|following that) (?:he|she|they) ", words
            )
            last = last if again else [who for who in named.groups() if who]
            said.update(dict.fromkeys(last, words))
        words = line.words.split()
        now = said[words[1] if task in (9, 10) else words[2]]
        places = re.findall(r"the (\w+)", now)
        if task > 10:
            assert line.answer == places[-1]
        elif " no " in now or " not " in now:
            assert words[4] in places and line.answer == "no"
        else:
            known = "maybe" if "either" in now else "yes"
            assert line.answer == (known if words[4] in places else "no")
        assert made.lines[line.supports[-1] - 1].words == now


@given(NUMBERS, NAMES)
def test_days(number, names):
    times = ("yesterday", "this morning", "this afternoon", "this evening")
    made = story(14, number, names=names)
    for at, line in questions(made):
        went: dict[str, list[tuple[int, str]]] = {}
        for _, words in told(made, at):
            k = next(k for k, time in enumerate(times) if time in words)
            who, place = re.search(r"(\w+) \w+(?: back)? to the (\w+)", words).groups()
            went.setdefault(who, []).append((k, place))
        assert all(sorted(k for k, _ in some) == list(range(len(some))) for some in went.values())
        words = line.words.split()
        places = [place for _, place in sorted(went[words[2]])]
        assert places.count(words[5]) >= 1 and all(a != b for a, b in itertools.pairwise(places))
        after = len(places) - 1 - places[::-1].index(words[5])
        assert line.answer == places[after - 1]


def relations(made: Story) -> dict[tuple[str, str], str]:
    """Return the told relations, each both ways round."""
    opposite = {"north": "south", "east": "west", "above": "below", "right": "left"}
    opposite |= {b: a for a, b in opposite.items()}
    found = {}
    for _, words in told(made, len(made.lines)):
        one, way, other = re.fullmatch(
            r"the (.*) is (?:to the )?(north|south|east|west|above|below|left|right)(?: of)? the (.*) \.",
            words,
        ).groups()
        found |= {(one, other): way, (other, one): opposite[way]}
    return found


@given(NUMBERS)
def test_relations(number):
    made = story(4, number)
    line = made.lines[-1]
    room = re.search(r"the (\w+)", line.words)[1]
    way = re.search("north|south|east|west", line.words)[0]
    pairs = relations(made)
    meant = (line.answer, room) if "of the" in line.words else (room, line.answer)
    assert pairs[meant] == way
    assert [a for (a, b), told in pairs.items() if (told, b) == (way, meant[1])] == [meant[0]]
    assert [b for (a, b), told in pairs.items() if (told, a) == (way, meant[0])] == [meant[1]]


@given(NUMBERS)
def test_positions(number):
    made = story(17, number)
    step = {"above": (0, 1), "below": (0, -1), "right": (1, 0), "left": (-1, 0)}
    pairs = relations(made)
    for _, line in questions(made):
        one, way, other = re.fullmatch(
            r"is the (.*?) (?:to the )?(above|below|left|right)(?: of)? the (.*) \?", line.words
        ).groups()
        middle = next(b for a, b in pairs if a == one)
        ways = step[pairs[one, middle]], step[pairs[middle, other]]
        across, up = (a + b for a, b in zip(*ways, strict=True))
        x, y = step[way]
        assert line.answer == ("yes" if across * x > 0 or up * y > 0 else "no")


@given(NUMBERS)
def test_paths(number):
    made = story(19, number)
    pairs = relations(made)
    line = made.lines[-1]
    start, goal = re.findall(r"the (\w+)", line.words)
    ways = [
        f"{pairs[middle, start][0]},{pairs[goal, middle][0]}"
        for middle in {a for a, _ in pairs}
        if (middle, start) in pairs and (goal, middle) in pairs
    ]
    assert ways == [line.answer]
    assert len(pairs) == 10 and len({a for a, _ in pairs}) == 6


@given(NUMBERS)
def test_sizes(number):
    made = story(18, number)
    for at, line in questions(made):
        smaller = set()
        for _, words in told(made, at):
            one, what, other = re.fullmatch(
                r"the (.*) (is bigger than|fits inside) the (.*) \.", words
            ).groups()
            smaller.add((other, one) if what == "is bigger than" else (one, other))
        one, what, other = re.fullmatch(
            r"\w+ the (.*) (bigger than|fit in) the (.*) \?", line.words
        ).groups()
        small, large = (other, one) if what == "bigger than" else (one, other)
        chained = [
            any((a, m) in smaller and (m, b) in smaller for _, m in smaller)
            for a, b in ((small, large), (large, small))
        ]
        assert chained == [line.answer == "yes", line.answer == "no"]


@given(NUMBERS)
def test_fears_and_colours(number):
    made = story(15, number)
    sentences = [words for _, words in told(made, len(made.lines))]
    assert len(sentences) == 8 and sum("afraid" in words for words in sentences) == 4
    one = {"mice": "mouse", "sheep": "sheep", "wolves": "wolf", "cats": "cat"}
    for _, line in questions(made):
        is_a, fear = (made.lines[n - 1].words.split() for n in line.supports)
        assert is_a[0] == line.words.split()[2] and one[fear[0]] == is_a[3]
        assert line.answer == one[fear[4]] and line.supports[1] < line.supports[0]
    made = story(16, number)
    asked = made.lines[-1].words.split()[3]
    kinds = {w.split()[0]: w.split()[3] for _, w in told(made, 9) if " is a " in w}
    colours = {w.split()[0]: w.split()[2] for _, w in told(made, 9) if " is a " not in w}
    same = [who for who, kind in kinds.items() if kind == kinds[asked] and who != asked]
    assert len(same) in (1, 3, 4) and set(colours) == set(kinds) - {asked}
    assert made.lines[-1].answer == colours[same[-1]]


def test_subquestions_ask_a_part_of_the_question():
    """In train stories alone, behind the same sentences: of one whose color was stated, of a kind, or all of it."""
    forms = Counter()
    for number in range(600):
        made, whole = story(16, number, subquestions=True), story(16, number)
        assert made.lines[:-1] == whole.lines[:-1]
        asked, about = made.lines[-1], made.lines[-1].words.split()[3]
        kinds = {w.split()[0]: w.split()[3] for _, w in told(made, 9) if " is a " in w}
        colours = {w.split()[0]: w.split()[2] for _, w in told(made, 9) if " is a " not in w}
        if about in colours:
            form, right = "one", colours[about]
            assert [made.lines[n - 1].words for n in asked.supports] == [f"{about} is {right} ."]
        elif about in kinds:
            form, right = "whole", whole.lines[-1].answer
            assert asked == whole.lines[-1]
        else:
            form = "kind"
            right = [colours[who] for who in kinds if kinds[who] == about and who in colours][-1]
            assert asked.supports == whole.lines[-1].supports[1:]
        forms[form] += 1
        assert asked.answer == right
    assert set(forms) == {"one", "kind", "whole"} and min(forms.values()) > 160
    for split in ("valid", "test"):
        assert story(16, 3, split=split, subquestions=True) == story(16, 3, split=split)
    assert story(15, 3, subquestions=False) == story(15, 3)


@given(NUMBERS)
def test_moods(number):
    places = {"hungry": "kitchen", "thirsty": "kitchen", "bored": "garden", "tired": "bedroom"}
    made = story(20, number)
    mood: dict[str, str] = {}
    taken: list[str] = []
    for said, asked in zip(made.lines[::2], made.lines[1::2], strict=True):
        who, what, *rest = said.words.split()
        if what == "is":
            mood[who] = rest[0]
            assert asked.words.split()[:3] == ["where", "will", who]
            assert asked.answer == places[rest[0]]
        else:
            assert asked.answer == mood[who] and asked.words.startswith(f"why did {who} ")
            assert rest[-2] == places[mood[who]] or rest[-2] == "there"
        taken += [mood[who]] * (rest[-2:-1] == ["there"])
    assert len(mood) == 4 and sorted(taken) == sorted(set(mood.values()))
