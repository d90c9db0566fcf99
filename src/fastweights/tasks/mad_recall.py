"""The recall tests of MAD: keys with values behind them, drawn for many sequences at once."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from fastweights.tasks.sequences import Sequences


def recall(
    count: int,
    pairs: int,
    symbols: int,
    noise: tuple[int, float],
    generator: torch.Generator,
    training: bool,
) -> Sequences:
    """Draw pairs of a key and a value; the last pair's key is one of those that stand before.

    Args:
        count: sequences.
        pairs: in each, at least 2.
        symbols: the lower half of them are keys, the others values.
        noise: further symbols, and the probability that a pair is of two of those; one at least is not.
        generator: what is drawn from.
        training: ask for the next symbol at every step; else for the values of keys that stand before.
    """
    kinds, chance = noise
    keys, device, before = symbols // 2, generator.device, pairs - 1

    def draw(most: int, *shape: int) -> Int[Tensor, ...]:
        return torch.randint(most, shape, generator=generator, device=device)

    key = draw(keys, count, pairs)
    values = keys + draw(symbols - keys, count, keys)  # of each key, in each sequence
    noisy = torch.zeros(count, pairs, dtype=torch.bool, device=device)
    if kinds:
        uniform = torch.rand(count, pairs, generator=generator, device=device)
        spared = draw(before, count)[:, None]
        noisy = (uniform < chance).scatter_(1, spared, False)
        noisy[:, -1] = False
    key[:, -1] = _one_of_those_shown(key[:, :-1], ~noisy[:, :-1], keys, generator)
    tokens = torch.stack([key, values.gather(1, key)], 2)
    if kinds:
        tokens = torch.where(noisy[:, :, None], symbols + draw(kinds, count, pairs, 2), tokens)
    again = _stands_before(key, ~noisy, keys) & ~noisy
    asked = torch.stack([again, torch.zeros_like(again)], 2).flatten(1)
    return _next_symbols(tokens.flatten(1), asked[:, :-1], training)


def _one_of_those_shown(
    key: Int[Tensor, "count pairs"],
    shown: Bool[Tensor, "count pairs"],
    keys: int,
    generator: torch.Generator,
) -> Int[Tensor, " count"]:
    """Return for each row one of the keys that stand in it, each of them as likely."""
    present = torch.zeros(len(key), keys, dtype=torch.bool, device=key.device)
    rows = torch.arange(len(key), device=key.device)[:, None].expand_as(key)
    present[rows[shown], key[shown]] = True
    noise = torch.rand(present.shape, generator=generator, device=generator.device)
    return noise.masked_fill(~present, -1).argmax(1)


def _stands_before(
    key: Int[Tensor, "count pairs"], shown: Bool[Tensor, "count pairs"], keys: int
) -> Bool[Tensor, "count pairs"]:
    """Mark the places whose key stands at an earlier one that is shown."""
    seen = torch.zeros(len(key), keys, dtype=torch.bool, device=key.device)
    found = torch.zeros_like(shown)
    rows = torch.arange(len(key), device=key.device)
    for place in range(key.shape[1]):
        found[:, place] = seen[rows, key[:, place]]
        seen[rows, key[:, place]] |= shown[:, place]
    return found


def _next_symbols(
    tokens: Int[Tensor, "count length"], asked: Bool[Tensor, "count before"], training: bool
) -> Sequences:
    """Return all symbols but the last, the next one being the answer; in training it is asked for everywhere."""
    return Sequences(tokens[:, :-1], tokens[:, 1:], torch.ones_like(asked) if training else asked)


def fuzzy_recall(
    count: int,
    length: int,
    symbols: int,
    motif: int,
    generator: torch.Generator,
    training: bool,
) -> Sequences:
    """Draw keys of up to `motif` distinct symbols with values of as many behind them, up to `length` symbols.

    The end asks for a key that stands before, and padding, the symbol after all others, stands in front. Its pair is
    put in at a random place where it does not come by itself. In a test all keys have `motif` symbols.

    Args:
        count: sequences.
        length: symbols that are read.
        symbols: the lower half of them are in keys, the others in values.
        motif: the most symbols of a key, and of a value.
        generator: what is drawn from.
        training: ask for the next symbol at every step; else for the values of keys that stand before.
    """
    device = generator.device
    half = symbols // 2
    motifs = [
        _Motifs(range(first, last), motif, device) for first, last in ((0, half), (half, symbols))
    ]
    rows = torch.arange(count, device=device)
    value_of = _drawn(motifs[1], (count, len(motifs[0].sizes)), False, generator)
    probe = _drawn(motifs[0], (count,), not training, generator)
    ending = motifs[0].sizes[probe] + motifs[1].sizes[value_of[rows, probe]]
    limit = length - ending - 2 * motif  # no pair begins later
    uniform = torch.rand(count, generator=generator, device=device, dtype=torch.float64)
    put_in = (
        uniform * (limit - 2 * motif + 1)
    ).long()  # a pair that begins from there on comes before the limit

    room = length + 1 + 2 * motif
    tokens = torch.full(
        (count, room + 1), symbols, device=device
    )  # the last place takes what is not written
    asked = torch.zeros(tokens.shape, dtype=torch.bool, device=device)
    seen = torch.zeros(count, len(motifs[0].sizes), dtype=torch.bool, device=device)
    at = torch.zeros(count, dtype=torch.long, device=device)
    offsets = torch.arange(motif, device=device)

    def write(key: Int[Tensor, " count"], running: Bool[Tensor, " count"]) -> None:
        """Write a key and its value into the rows that are running."""
        nonlocal at
        again = seen[rows, key]
        for kind, which, counts in (
            (motifs[0], key, torch.zeros_like(again)),
            (motifs[1], value_of[rows, key], again),
        ):
            size = kind.sizes[which] * running
            place = torch.where(offsets < size[:, None], at[:, None] + offsets, room)
            tokens.scatter_(1, place, kind.tokens[which])
            asked.scatter_(1, place, counts[:, None].expand_as(place))
            at = at + size
        seen[rows, key] = again | running

    while (running := at < limit).any():
        key = _drawn(motifs[0], (count,), not training, generator)
        write(torch.where((at >= put_in) & ~seen[rows, probe], probe, key), running)
    write(probe, torch.ones_like(running))
    # What was written begins at 0; behind padding it ends at the last place.
    place = torch.arange(length + 1, device=device) - (length + 1 - at)[:, None]
    moved = tokens.gather(1, place.clamp(min=0)).masked_fill(place < 0, symbols)
    was_asked = asked.gather(1, place.clamp(min=0)) & (place >= 0)
    return _next_symbols(moved, was_asked[:, 1:], training)


class _Motifs:
    """All ordered choices of one to `motif` distinct symbols.

    Attributes:
        tokens: [choices, motif], the shorter ones padded.
        sizes: [choices].
        starts: [motif + 1], where those of each size begin, and the end.
    """

    def __init__(self, symbols: range, motif: int, device: torch.device) -> None:
        sizes = range(1, motif + 1)
        chosen = [each for size in sizes for each in itertools.permutations(symbols, size)]
        padded = [each + (0,) * (motif - len(each)) for each in chosen]
        self.tokens = torch.tensor(padded, device=device)
        self.sizes = torch.tensor([len(each) for each in chosen], device=device)
        self.starts = torch.searchsorted(self.sizes, torch.arange(1, motif + 2, device=device))


def _drawn(
    motifs: _Motifs, shape: tuple[int, ...], longest: bool, generator: torch.Generator
) -> Int[Tensor, ...]:
    """Draw motifs: first a size, then one of that size; or one of the longest."""
    starts, device = motifs.starts, generator.device
    last = len(starts) - 2
    size = torch.randint(last + 1, shape, generator=generator, device=device)
    if longest:
        size = torch.full_like(size, last)
    uniform = torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
    return starts[size] + (uniform * (starts[size + 1] - starts[size])).long()
