"""State tracking: what state do the symbols so far lead to? Parity, arithmetic, and words of permutations."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.tasks.automata import PROBLEMS
from fastweights.tasks.checks import check_int, list_tokens
from fastweights.tasks.sequences import Sequences, SequenceTask

MAX_LENGTH = 100_000
"""Symbols of a sequence."""


class StateTracking(SequenceTask):
    """`1 0 1 1 → 1 1 0 1`: after each symbol, in which state is what was read? Parity, arithmetic, words of S3 to S5.

    - `parity`: whether the ones so far are odd in number.
    - `even-pairs`: whether the last symbol is the first one.
    - `cycle-navigation`: where on a cycle of five places moves of 0, +1 and -1 lead.
    - `modular-arithmetic`: the value modulo 5 of an expression of digits with + - × between them; × binds more
      strongly. It is asked for after each digit, of the expression so far.
    - `s3`, `s4`, `s5`, `a5`: the product of the permutations so far, of three, four and five things, and of the even
      ones of five. All elements of the group are symbols, equally likely.

    A state of a group is uniform after one symbol and independent of the next, so that a model without memory has
    1/2, 1/5, 1/6, 1/24, 1/120 and 1/60 from the second step on; `chance` counts the first step in.

    Args:
        problem: one of these.
        length: symbols in a sequence, 1 to 100,000.

    Raises:
        UserError: for an unknown problem or a length out of range.

    Source: Grazzi et al., "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues", ICLR 2025; Merrill,
    Petty & Sabharwal, "The Illusion of State in State-Space Models", ICML 2024 (the groups); Delétang et al., "Neural
    Networks and the Chomsky Hierarchy", ICLR 2023 (the others).

    Example:
        >>> task = StateTracking("parity", length=8)
        >>> tokens, answer, asked = task.sample(2, torch.Generator().manual_seed(0))
        >>> torch.equal(answer, tokens.cumsum(1) % 2), bool(asked.all())
        (True, True)
        >>> task.chance, StateTracking("s5").vocabulary
        (0.5625, 120)
    """

    def __init__(self, problem: str = "parity", *, length: int = 40) -> None:
        check_choice("problem", problem, PROBLEMS)
        check_int("length", length, 1, MAX_LENGTH)
        self.problem, self.length = problem, length
        self.automaton = PROBLEMS[problem]()
        self.vocabulary, self.classes = len(self.automaton.symbols), len(self.automaton.classes)

    def __repr__(self) -> str:
        return f"StateTracking({self.problem!r}, length={self.length})"

    def sample(
        self, count: int, generator: torch.Generator, *, training: bool = False
    ) -> Sequences:
        check_int("the number of sequences", count, 0)
        device, turns = generator.device, self.automaton.takes_turns
        tokens = torch.empty(count, self.length, dtype=torch.long, device=device)
        for turn, kind in enumerate(turns):
            place = tokens[:, turn :: len(turns)]
            drawn = torch.randint(len(kind), place.shape, generator=generator, device=device)
            tokens[:, turn :: len(turns)] = torch.tensor(kind, device=device)[drawn]
        asked = torch.zeros_like(tokens, dtype=torch.bool)
        asked[:, :: len(turns)] = True
        return Sequences(tokens, self.automaton.run(tokens), asked)

    @property
    def chance(self) -> float:
        """Best accuracy of a model that knows the step and its symbol alone, over all steps; exact."""
        return self.chance_from(0)

    def chance_from(self, step: int) -> float:
        turns, guesses = len(self.automaton.takes_turns), self.automaton.guess(self.length)
        asked = [guess for at, guess in enumerate(guesses) if at >= step and at % turns == 0]
        return sum(asked) / len(asked)

    def encode(self, sequence: str) -> Int[Tensor, " length"]:
        """Encode a typed sequence as tokens, of any length; its symbols stand apart by spaces.

        Raises:
            UserError: naming the first thing that is wrong with it.

        Example:
            >>> StateTracking("modular-arithmetic").encode("2 + 3").tolist()
            [2, 5, 3]
        """
        given, known, turns = sequence.split(), self.automaton.symbols, self.automaton.takes_turns
        if not given:
            raise UserError(f"the sequence is empty; its symbols are {' '.join(known)}")
        for place, symbol in enumerate(given):
            accepted = [known[number] for number in turns[place % len(turns)]]
            if symbol not in accepted:
                raise UserError(
                    f"symbol {place + 1} is {symbol!r}; accepted there: {' '.join(accepted)}"
                )
        return torch.tensor([known.index(symbol) for symbol in given], device="cpu")

    def decode(self, tokens: Int[Tensor, " length"]) -> str:
        """Decode tokens to the sequence as a person types it.

        Raises:
            UserError: for a token that is no symbol.

        Example:
            >>> StateTracking("s3").decode(torch.tensor([1, 5]))
            '021 210'
        """
        return " ".join(
            self.automaton.symbols[number] for number in list_tokens(tokens, self.vocabulary)
        )
