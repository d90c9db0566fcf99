"""States are those of permutations multiplied by hand and of Python's own arithmetic; chance is counted."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastweights.errors import UserError
from fastweights.tasks import StateTracking
from fastweights.tasks.automata import PROBLEMS

ORDERS = {"s3": 6, "s4": 24, "a5": 60, "s5": 120}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def answers(problem: str, typed: str) -> list[str]:
    task = StateTracking(problem)
    after = task.automaton.run(task.encode(typed)[None])[0].tolist()
    return [task.automaton.classes[number] for number in after]


def test_products_that_were_written_down():
    # 0 1 2 → 0 2 1, then the first two of what is there change their names: 0 → 1, 2 → 2, 1 → 0.
    assert answers("s3", "021 102 021") == ["021", "120", "210"]
    assert answers("s3", "120 120 120") == ["120", "201", "012"]
    assert answers("s5", "12340 12340 10234")[-1] == "23401".translate(str.maketrans("01", "10"))
    assert answers("a5", "12034 01342 12034")[0] == "12034"


def moved(things: list[int], permutation: str) -> list[int]:
    """Return things after the one at place i was carried to place permutation[i]."""
    after = [0] * len(things)
    for place, goal in enumerate(permutation):
        after[int(goal)] = things[place]
    return after


@pytest.mark.parametrize("problem", ORDERS)
def test_groups_are_what_carrying_things_about_does(problem):
    task = StateTracking(problem, length=6)
    assert task.vocabulary == task.classes == ORDERS[problem]
    batch = task.sample(40, generator())
    for tokens, found in zip(batch.tokens, batch.answer.tolist(), strict=True):
        things = list(range(len(task.automaton.symbols[0])))
        start = things
        for symbol, answer in zip(task.decode(tokens).split(), found, strict=True):
            things = moved(things, symbol)
            assert moved(start, task.automaton.classes[answer]) == things


@pytest.mark.parametrize("problem", ORDERS)
def test_tables_are_those_of_groups(problem):
    table = PROBLEMS[problem]().following
    size, neutral = len(table), PROBLEMS[problem]().start
    everything = torch.arange(size)
    assert torch.equal(table[neutral], everything) and torch.equal(table[:, neutral], everything)
    for side in (table, table.T):  # every element once in each row and column
        assert torch.equal(side.sort(1).values, everything.expand(size, size))
    a, b, c = torch.randint(size, (3, 500), generator=generator())
    assert torch.equal(table[table[a, b], c], table[a, table[b, c]])
    assert not torch.equal(table, table.T)


def cycles(permutation: str) -> int:
    left, count = {*range(len(permutation))}, 0
    while left:
        place, count = left.pop(), count + 1
        while (place := int(permutation[place])) in left:
            left.remove(place)
    return count


def test_the_alternating_group_has_the_permutations_of_an_even_number_of_swaps():
    names = {"".join(each) for each in itertools.permutations("01234")}
    even = {name for name in names if (5 - cycles(name)) % 2 == 0}
    assert {*PROBLEMS["a5"]().symbols} == even and len(even) == 60


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_arithmetic_is_that_of_python(seed, length):
    task = StateTracking("modular-arithmetic", length=length)
    tokens, answer, asked = task.sample(3, generator(seed))
    assert asked.tolist() == [[step % 2 == 0 for step in range(length)]] * 3
    for row in range(3):
        typed = task.decode(tokens[row]).replace("×", "*")
        for step in range(0, length, 2):
            expression = "".join(typed.split()[: step + 1])
            assert answer[row, step] == eval(expression) % 5


def test_parity_pairs_and_cycles_are_counted():
    for problem in ("parity", "even-pairs", "cycle-navigation"):
        task = StateTracking(problem, length=12)
        tokens, answer, asked = task.sample(50, generator())
        assert asked.all()
        for row, step in itertools.product(range(50), range(12)):
            read = task.decode(tokens[row, : step + 1]).split()
            found = task.automaton.classes[int(answer[row, step])]
            if problem == "parity":
                assert int(found) == read.count("1") % 2
            elif problem == "cycle-navigation":
                assert int(found) == (read.count("+") - read.count("-")) % 5
            else:
                changes = sum(a != b for a, b in itertools.pairwise(read))
                assert (found == "even") == (changes % 2 == 0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_symbols_are_uniform_and_chance_is_what_counting_gives(problem):
    task = StateTracking(problem, length=4)
    count = 40_000 if task.vocabulary < 30 else 400_000
    tokens, answer, _ = task.sample(count, generator(3))
    for step in range(4):
        kind = task.automaton.takes_turns[step % len(task.automaton.takes_turns)]
        counts = torch.bincount(tokens[:, step], minlength=task.vocabulary)
        assert int(counts.sum() - counts[list(kind)].sum()) == 0
        expected = count / len(kind)
        assert ((counts[list(kind)] - expected).abs() < 6 * expected**0.5).all()
        joint = torch.zeros(task.vocabulary, task.classes)
        pairs = tokens[:, step], answer[:, step]
        joint.index_put_(pairs, torch.ones(count), accumulate=True)
        # The commonest of many as good answers is a little more than the probability of each.
        counted = float(joint.max(1).values.sum()) / count
        guess = task.automaton.guess(4)[step]
        assert guess - 0.01 < counted < guess + 0.05
    if problem in ORDERS:
        assert task.chance == pytest.approx((1 + 3 / ORDERS[problem]) / 4)
        assert task.chance_from(1) == pytest.approx(1 / ORDERS[problem])


def test_typed_sequences_are_read():
    task = StateTracking("s3")
    assert task.decode(task.encode(" 021  210 ")) == "021 210"
    with pytest.raises(UserError, match="symbol 2 is '7'; accepted there: 012 021"):
        task.encode("012 7")
    with pytest.raises(UserError, match=r"symbol 2 is '3'; accepted there: \+ - ×"):
        StateTracking("modular-arithmetic").encode("2 3")
    with pytest.raises(UserError, match="empty"):
        task.encode("  ")
    with pytest.raises(UserError, match="tokens are 0 to 5"):
        task.decode(torch.tensor([6]))
