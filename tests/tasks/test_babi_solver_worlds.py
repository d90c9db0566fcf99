"""The reader of bAbI against worlds whose every state is known, and against anything that can be said or typed."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks.babi.solver import Reader, solve_all
from fastweights.tasks.babi.templates import ALIKE, QUESTIONS, SLOTS, STATEMENTS


def _filled(template: str, draw: Random) -> str:
    """Return a sentence of a template, with anything in its slots."""
    words = (draw.choice(SLOTS.get(word) or ALIKE.get(word) or [word]) for word in template.split())
    return " ".join(word.strip("[]") for word in words)


@pytest.mark.parametrize("seed", range(20))
def test_any_mixture_of_sentences_is_read(seed):
    """Contradictions too: an answer of known words, or none, and reasons that stand before the question."""
    draw, reader = Random(seed), Reader()
    said = 0
    for _ in range(150):
        with contextlib.suppress(UserError):  # pronouns may stand for nobody
            reader.tell(_filled(draw.choice([*STATEMENTS]), draw))
            said += 1
        answer = reader.ask(_filled(draw.choice([*QUESTIONS]), draw))
        said += 1
        assert answer.question.number == said
        assert all(sentence.number < said for sentence in answer.supports)
        assert (answer.word is not None) or not answer.supports


@given(st.text())
def test_any_text_is_answered_or_refused_in_a_line(text):
    try:
        assert solve_all(f"{text} where is mary?")
    except UserError as refused:
        assert len(str(refused).splitlines()) == 1


ROOMS, PEOPLE, THINGS = (
    ["park", "office", "garden", "kitchen"],
    ["john", "mary", "bill"],
    ["milk", "apple"],
)


@pytest.mark.parametrize("seed", range(30))
def test_agrees_with_a_world_that_is_played(seed):
    """Whatever is answered is true of a house whose every state is known; who has moved is always found."""
    draw, reader = Random(seed), Reader()
    room = {name: draw.choice(ROOMS) for name in PEOPLE + THINGS}
    holder = dict.fromkeys(THINGS)
    moved: set[str] = set()
    for _ in range(60):
        person, thing, other = draw.choice(PEOPLE), draw.choice(THINGS), draw.choice(PEOPLE)
        here = room[person]
        match draw.randrange(4):
            case 0:
                room[person] = draw.choice([r for r in ROOMS if r != here])
                room |= {t: room[person] for t in THINGS if holder[t] == person}
                moved |= {person} | {t for t in THINGS if holder[t] == person}
                reader.tell(f"{person} went to the {room[person]}")
            case 1 if holder[thing] is None and room[thing] == here:
                holder[thing] = person
                moved |= {thing} if person in moved else set()
                reader.tell(f"{person} took the {thing}")
            case 2 if holder[thing] == person:
                holder[thing] = None
                reader.tell(f"{person} dropped the {thing}")
            case 3 if holder[thing] == person and other != person and room[other] == here:
                holder[thing] = other
                reader.tell(f"{person} gave the {thing} to {other}")
                assert reader.ask(f"what did {person} give to {other}").word == thing
        for name in PEOPLE:
            where = reader.ask(f"where is {name}").word
            assert where == room[name] or (where is None and name not in moved)
            carried = [t for t in THINGS if holder[t] == name]
            many = reader.ask(f"how many objects is {name} carrying").word
            assert many == ["none", "one", "two"][len(carried)] or (many is None and not carried)
            listed = reader.ask(f"what is {name} carrying").word or "nothing"
            assert sorted(listed.split(",")) == sorted(carried or ["nothing"])
            within = reader.ask(f"is {name} in the {here}").word
            assert within == ("yes" if room[name] == here else "no") or (
                within is None and name not in moved
            )
        for name in THINGS:
            where = reader.ask(f"where is the {name}").word
            assert where == room[name] or (where is None and name not in moved)
