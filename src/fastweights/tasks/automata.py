"""Finite automata whose state a model is to follow: groups of permutations, and arithmetic modulo 5."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

MODULUS = 5
"""Of modular arithmetic and cycle navigation, as published."""


class Automaton(NamedTuple):
    """States that symbols lead to, and what each state answers.

    Attributes:
        symbols: by number, as they are written.
        classes: answers, by number, as they are written.
        following: [states, symbols], the state that a symbol leads to.
        answer: [states], the answer of each.
        start: the state before the first symbol.
        takes_turns: the kinds of symbols that take turns in a sequence, by the numbers of theirs, equally likely;
            an answer is asked for where the first kind stands.
    """

    symbols: tuple[str, ...]
    classes: tuple[str, ...]
    following: Int[Tensor, "states symbols"]
    answer: Int[Tensor, " states"]
    start: int
    takes_turns: tuple[tuple[int, ...], ...]

    def run(self, tokens: Int[Tensor, "count time"]) -> Int[Tensor, "count time"]:
        """Return the answer after each symbol."""
        state = torch.full_like(tokens[:, 0], self.start) if tokens.shape[1] else tokens
        following, answers = self.following.to(tokens.device), self.answer.to(tokens.device)
        found = torch.empty_like(tokens)
        for step, symbol in enumerate(tokens.unbind(1)):
            state = following[state, symbol]
            found[:, step] = answers[state]
        return found

    def guess(self, length: int) -> list[float]:
        """Return how often the best guess is right at each step, for one who knows the step and its symbol alone.

        The probabilities of the states are followed exactly.

        Example:
            >>> PROBLEMS["parity"]().guess(3)
            [1.0, 0.5, 0.5]
        """
        states = torch.zeros(len(self.following), dtype=torch.float64)
        states[self.start] = 1.0
        right = []
        for step in range(length):
            kind = torch.tensor(self.takes_turns[step % len(self.takes_turns)])
            after = self.following[:, kind]
            joint = states.new_zeros(len(kind), len(self.classes))
            symbols = torch.arange(len(kind)).expand_as(after)
            weights = (states[:, None] / len(kind)).expand_as(after)
            joint.index_put_((symbols, self.answer[after]), weights, accumulate=True)
            right.append(float(joint.amax(1).sum()))
            states = _moved(states, after)
        return right


def _moved(
    states: Float[Tensor, " states"], after: Int[Tensor, "states symbols"]
) -> Float[Tensor, " states"]:
    """Return the probabilities of the states after one of these symbols, equally likely."""
    each = (states[:, None] / after.shape[1]).expand_as(after)
    return torch.zeros_like(states).index_add_(0, after.flatten(), each.flatten())


def group_of(permutations: Iterable[tuple[int, ...]]) -> Automaton:
    """Build the word problem of a group of permutations: the product of all symbols so far.

    The product p q is first p, then q: (p q)(i) = q(p(i)).

    Args:
        permutations: all of the group; p as (p(0), p(1), …).

    Example:
        >>> group = group_of(itertools.permutations(range(3)))
        >>> group.symbols
        ('012', '021', '102', '120', '201', '210')
        >>> group.symbols[int(group.following[1, 2])]  # 0 1 2 → 0 2 1, then 0 ↔ 1
        '120'
    """
    elements = list(permutations)
    place = {element: number for number, element in enumerate(elements)}
    products = [[place[tuple(q[i] for i in p)] for q in elements] for p in elements]
    names = tuple("".join(map(str, element)) for element in elements)
    everything = tuple(range(len(elements)))
    neutral = place[tuple(range(len(elements[0])))]
    table = torch.tensor(products)
    return Automaton(names, names, table, torch.arange(len(elements)), neutral, (everything,))


def is_even(permutation: tuple[int, ...]) -> bool:
    """Return whether a permutation has an even number of inversions.

    Example:
        >>> is_even((1, 2, 0)), is_even((1, 0, 2))
        (True, False)
    """
    return sum(a > b for a, b in itertools.combinations(permutation, 2)) % 2 == 0


def alternating_group(size: int) -> Automaton:
    """Build the word problem of the even permutations."""
    return group_of(filter(is_even, itertools.permutations(range(size))))


def symmetric_group(size: int) -> Automaton:
    """Build the word problem of all permutations."""
    return group_of(itertools.permutations(range(size)))


def cycle(size: int, moves: dict[str, int]) -> Automaton:
    """Build a walk around a cycle: the answer is where one stands, from 0.

    Args:
        size: places of the cycle.
        moves: how far each symbol leads.
    """
    places = torch.arange(size)[:, None]
    following = (places + torch.tensor(list(moves.values()))) % size
    names = tuple(map(str, range(size)))
    return Automaton(
        tuple(moves), names, following, torch.arange(size), 0, (tuple(range(len(moves))),)
    )


def even_pairs() -> Automaton:
    """Build the test whether the first symbol is the last: an even number of `ab` and `ba` together."""
    # State 0: nothing read; 1 + 2 first + last otherwise.
    following = [[1, 4], *([1 + 2 * first, 2 + 2 * first] for first in (0, 0, 1, 1))]
    return Automaton(
        ("a", "b"),
        ("uneven", "even"),
        torch.tensor(following),
        torch.tensor([1, 1, 0, 0, 1]),
        0,
        ((0, 1),),
    )


def arithmetic(modulus: int) -> Automaton:
    """Build the value, modulo a number, of an expression of digits with + − × between them; × binds more strongly.

    A state is the sum of the terms that are complete, the term that is read, and the operator before the next
    digit; the answer is their sum.

    Example:
        >>> problem = arithmetic(5)
        >>> read = torch.tensor([[problem.symbols.index(symbol) for symbol in "2+3×4"]])
        >>> problem.run(read).tolist()  # 2, 2, 2 + 3, 2 + 3, 2 + 3 · 4, modulo 5
        [[2, 2, 0, 0, 4]]
    """
    states = list(itertools.product(range(modulus), range(modulus), "+-×"))
    place = {state: number for number, state in enumerate(states)}

    def follow(total: int, term: int, operator: str, symbol: str) -> int:
        if symbol == "×":
            return place[total, term, "×"]
        if symbol in "+-":
            return place[(total + term) % modulus, 0, symbol]
        digit = int(symbol)
        read = {"+": digit, "-": -digit, "×": term * digit}[operator]
        return place[total, read % modulus, "+"]

    digits = tuple(map(str, range(modulus)))
    symbols = (*digits, "+", "-", "×")
    following = [[follow(*state, symbol) for symbol in symbols] for state in states]
    answers = [(total + term) % modulus for total, term, _ in states]
    kinds = tuple(range(modulus)), tuple(range(modulus, modulus + 3))
    return Automaton(
        symbols, digits, torch.tensor(following), torch.tensor(answers), place[0, 0, "+"], kinds
    )


PROBLEMS: dict[str, Callable[[], Automaton]] = {
    "parity": lambda: cycle(2, {"0": 0, "1": 1}),
    "even-pairs": even_pairs,
    "cycle-navigation": lambda: cycle(MODULUS, {"=": 0, "+": 1, "-": -1}),
    "modular-arithmetic": lambda: arithmetic(MODULUS),
    "s3": lambda: symmetric_group(3),
    "s4": lambda: symmetric_group(4),
    "a5": lambda: alternating_group(5),
    "s5": lambda: symmetric_group(5),
}
"""By name."""
