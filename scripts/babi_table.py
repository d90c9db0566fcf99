"""What the release of bAbI v1.2 has, by task: measured on its train, validation and test files, all that are there."""

from __future__ import annotations

from collections.abc import Iterable

from fastweights.tasks.babi import words


def _alike(answers: Iterable[object]) -> str:
    each = tuple(answers)
    return ", ".join(f"{answer} {100 / len(each)}" for answer in each)


def _row(
    sentences: float, questions: float, size: float, deviation: float | None = None, **shares: str
) -> dict[str, float]:
    """Build a row: means and a deviation, and shares in percent by kind, written "2 5.1, 4 18"."""
    row = {"sentences": sentences, "questions": questions, "words": size}
    row |= {} if deviation is None else {"deviation": deviation}
    for kind, text in shares.items():
        for pair in text.split(", "):
            value, _, share = pair.rpartition(" ")
            row[f"{kind.replace('_', ' ')}: {value}"] = float(share)
    return row


_SIX = _alike(words.ROOMS)
_TOWN = _alike(words.TOWN)
_WAYS = _alike(f"{a},{b}" for a in "nesw" for b in "nesw" if a + b not in ("ns", "sn", "ew", "we"))
_MOVES = {"first": "2 100", "gap": "2 100"}

TABLE = {
    1: _row(10, 5, 87.0, 1.3, **_MOVES, answer=_SIX, clause="go 100"),
    2: _row(
        *(22.0, 5, 164, 44),
        first="2 5, 4 18, 6 18, 8 17, 10 12",
        gap="2 71",
        answer=_SIX,
        clause="go 65.1, get 19.7, drop 15.2",
    ),
    3: _row(73.8, 5, 483, 214, gap="2 55", answer=_SIX, clause="go 63.5, get 18.9, drop 17.6")
    | {"mean first": 31, "median first": 26},
    4: _row(2, 1, 24, 0, first="2 100", answer=_SIX),
    5: _row(
        *(27.2, 5, 207, 86),
        first="2 5, 4 11, 6 12, 8 12",
        gap="2 87",
        answer="apple 13.7, football 10.7, milk 9.1, mary 18.6, fred 17.6, bill 16.0, jeff 14.4",
        clause="go 56.0, get 16.9, drop 11.7, give 15.5",
    ),
    6: _row(
        *(10.3, 5, 98.1, 5.4),
        first="2 89, 4 10",
        gap="2 99.5",
        answer="yes 50.0",
        clause="go 67.5, get 21.0, drop 11.4",
    ),
    7: _row(
        *(13.0, 5, 121, 27),
        first="2 50, 4 22, 6 12",
        gap="2 96",
        answer="one 48.7, none 47.0, two 4.1, three 0.2",
        clause="go 59.3, get 18.3, drop 9.4, give 13.0",
    ),
    8: _row(
        *(13.4, 5, 112, 28),
        first="2 49, 4 23, 6 12",
        gap="2 94",
        things="0 36, 1 57.6, 2 5.9, 3 0.4",
        clause="go 66.5, get 21.0, drop 12.5",
    ),
    9: _row(
        *(10, 5, 99.8, 2.3),
        **_MOVES,
        answer="no 62.6, yes 37.4",
        clause="go 49.5, is 25.0, not 12.6, no longer 13.0",
    ),
    10: _row(
        *(10, 5, 105.9, 5.4),
        **_MOVES,
        answer="no 47.2, yes 38.1, maybe 14.7",
        clause="go 49.9, is 25.2, either 24.9",
    ),
    11: _row(10, 5, 94.4, **_MOVES, answer=_SIX),
    12: _row(10, 5, 106.9, **_MOVES, answer=_SIX),
    13: _row(10, 5, 104.5, **_MOVES, answer=_SIX),
    14: _row(11.7, 5, 132, 9, first="2 24, 4 66, 6 10", answer=_TOWN),
    15: _row(
        *(8, 4, 72, 0),
        first="8 100",
        answer=_alike(words.KINDS),
        kinds="2+1+1 49, 3+1 25, 2+2 17, 1+1+1+1 6, 4 3",
    ),
    16: _row(
        *(9, 1, 47, 0),
        first="9 100",
        answer=_alike(words.COLOURS),
        kinds="2+2+1 59.5, 2+1+1+1 19.9, 4+1 10.1, 3+2 9.7, 5 0.9",
        asked_for="5 57, 4 18, 3 11",
    )
    | {"colours disagree": 7.4},
    17: _row(2, 8, 109.4, 7.2, first="2 100", answer="yes 49.9"),
    18: _row(6.3, 5, 99.7, 22.7, first="5 77, 10 22, 15 1", answer="yes 49.5"),
    19: _row(5, 1, 52, 0, first="5 100", answer=_WAYS),
    20: _row(
        *(10.7, 10.7, 139.6, 9.5),
        first="1 100",
        answer="kitchen 18.7, garden 9.4, bedroom 9.3, "
        + ", ".join(f"{m} 15.7" for m in words.MOODS),
    ),
}
_VOCABULARIES = (21, 35, 36, 16, 41, 37, 45, 49, 25, 26, 28, 22, 28, 27, 19, 19, 20, 20, 33, 37)
for _task, _words in enumerate(_VOCABULARIES, start=1):
    TABLE[_task]["vocabulary"] = _words
