"""What a random call of an op is drawn from: numbers, masks, and how they lie in memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.isa import host

DTYPES = {torch.float32: 5, torch.float64: 3, torch.bfloat16: 1, torch.float16: 1}
FLAVOURS = {"ordinary": 12, "wild": 2, "extreme": 3, "special": 2, "zeros": 1, "signs": 2}
SPECIAL = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e-42, 1e-38, 1e38, -3e38)
GARBAGE = (float("nan"), float("inf"), 1e30, -1e30)
"""What may stand at padded steps."""
VIEWS = {"plain": 8, "transposed": 2, "strided": 1, "expanded": 1, "negated": 1, "offset": 1}
SPOILED = {
    "rule": "hebb", "gate": "clamp", "combine": "sum", "norm_eps": 0.0, "chunk": 0, "inner_steps": 0,
    "nonlinearity": "gelu", "form": "outer", "read_norm": None, "memory_steps": (99,),
}  # fmt: skip
"""Options that no op takes."""


class Call(NamedTuple):
    """One call of an op.

    Attributes:
        op: its name.
        tensors: its tensors by name, "keys[0]" and "learned.recurrent" among them.
        options: what else it takes.
        leaves: the tensors whose gradient is asked for.
        weights: what the gradient of each result is made of: "none", "random", "expanded", "zero", "huge".
        autocast: whether it runs under autocast.
        threads: of torch.
        seed: of the results' gradients.
    """

    op: str
    tensors: dict[str, Tensor]
    options: dict[str, object]
    leaves: tuple[str, ...]
    weights: tuple[str, ...]
    autocast: bool
    threads: int
    seed: int


class Draw:
    """What a call is drawn from; `finite` leaves out all that is not a number, or too large to be squared."""

    def __init__(self, seed: int, number: int, *, finite: bool = False) -> None:
        self.random = random.Random(f"{seed}/{number}")
        self.numbers = torch.Generator().manual_seed(self.random.getrandbits(60))
        self.dtype = self.one_of(DTYPES)
        self.flavour = "ordinary" if finite else self.one_of(FLAVOURS)
        self.autocast = not finite and self.chance(0.06)
        self.finite, self.tensors = finite, dict[str, Tensor]()
        self.target = self.random.randrange(6)  # the tensor that is extreme, in the order drawn

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one_of(self, weighted: dict) -> object:
        return self.random.choices(list(weighted), list(weighted.values()))[0]

    def size(self, most: int = 40) -> int:
        """Return a size, as a rule small or about a vector's."""
        lanes = host().vector_bytes // max(4, self.dtype.itemsize)
        near = [lanes - 1, lanes, lanes + 1, 2 * lanes + 1]
        chosen = self.random.choice([1, 2, 3, 4, 5, 7, self.random.randint(1, most), *near])
        return 0 if self.chance(0.01) else min(chosen, most)

    def steps(self) -> int:
        """Return a number of time steps, as a rule few."""
        return (
            0
            if self.chance(0.02)
            else self.random.choice([1, 2, 3, 3, 4, 5, 6, 9, self.random.randint(1, 36)])
        )

    def tensor(self, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        """Draw a tensor's numbers; how it lies in memory is drawn by `view`."""
        x = torch.randn(shape, generator=self.numbers, dtype=torch.float64) * scale + mean
        hit = len(self.tensors) == self.target
        if self.flavour == "wild":
            x *= 10 ** self.random.uniform(-2, 2)
        elif self.flavour == "extreme" and (hit or self.chance(0.1)):
            x *= 10 ** self.random.uniform(-38, 38)
        elif self.flavour == "zeros" and (hit or self.chance(0.3)):
            x *= 0
        elif self.flavour == "signs":
            x = x.sign() * (torch.rand(shape, generator=self.numbers) < 0.7)
        elif self.flavour == "special" and (hit or self.chance(0.1)) and x.numel():
            for _ in range(self.random.randint(1, 3)):
                x.view(-1)[self.random.randrange(x.numel())] = self.random.choice(SPECIAL)
        dtype = self.one_of(DTYPES) if self.autocast and self.chance(0.3) else self.dtype
        self.tensors[name] = x.to(dtype)
        return self.tensors[name]

    def perhaps(
        self, share: float, name: str, *shape: int, scale: float = 1.0, mean: float = 0.0
    ) -> None:
        if self.chance(share):
            self.tensor(name, *shape, scale=scale, mean=mean)

    def mask(self, rows: Sequence[int], time: int, padded: Sequence[str], *, lead: int = 1) -> None:
        """Draw a mask or none, and what stands at padded steps of some tensors with `lead` dimensions before time."""
        if self.chance(0.5):
            return
        lengths = torch.randint(0, time + 1, tuple(rows), generator=self.numbers)
        steps = torch.arange(time)
        real = steps < lengths[..., None]
        prefix = steps >= time - lengths[..., None]
        mask = torch.where(
            torch.rand(real.shape[:-1], generator=self.numbers)[..., None] < 0.5, real, prefix
        )
        if self.chance(0.03):
            mask = torch.rand(mask.shape, generator=self.numbers) < 0.5
        self.tensors["mask"] = mask
        if self.chance(0.5):
            return
        for name in padded:
            if name in self.tensors and self.chance(0.7):
                x = self.tensors[name]
                between = (1,) * (lead - len(rows))
                shape = (*rows, *between, time, *(1,) * (x.dim() - lead - 1))
                x[~mask.reshape(shape).expand_as(x)] = self.random.choice(GARBAGE)

    def view(self, x: Tensor) -> Tensor:
        """Return equal numbers (but for "expanded") that lie in memory in some other way."""
        kind = self.one_of(VIEWS)
        if kind == "transposed" and x.dim() > 1:
            a, b = self.random.sample(range(x.dim()), 2)
            return x.transpose(a, b).contiguous().transpose(a, b)
        if kind == "strided" and x.dim():
            wide = x.new_full((*x.shape[:-1], 2 * x.shape[-1]), 7)
            wide[..., ::2] = x
            return wide[..., ::2]
        if kind == "expanded" and x.is_floating_point() and x.numel() and x.dim():
            axis = self.random.randrange(x.dim())
            return x.narrow(axis, 0, 1).expand_as(x)
        if kind == "negated" and x.is_floating_point():
            return torch._neg_view(-x)
        if kind == "offset":
            return torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape)
        return x

    def call(self, op: str, options: dict[str, object], results: int) -> Call:
        """Return the call of the tensors drawn, with or without gradients, and at times spoiled."""
        floating = [name for name, x in self.tensors.items() if x.is_floating_point()]
        asked = self.random.choice([0.0, 0.5, 1.0, 1.0])
        kinds = {"random": 6, "none": 2, "expanded": 1, "zero": 1}
        if not self.finite:
            kinds["huge"] = 0.3
            self.tensors = {name: self.view(x) for name, x in self.tensors.items()}
            if self.chance(0.03):
                name = self.random.choice(floating)
                self.tensors[name] = self.spoil(self.tensors[name])
            if options and self.chance(0.02):
                name = self.random.choice(list(options))
                options[name] = SPOILED.get(name, "nothing")
        leaves = [n for n in floating if self.chance(asked) and self.tensors[n].is_floating_point()]
        weights = tuple(str(self.one_of(kinds)) for _ in range(results))
        threads, seed = 2 if self.chance(0.01) else 1, self.random.getrandbits(30)
        return Call(op, self.tensors, options, tuple(leaves), weights, self.autocast, threads, seed)

    def spoil(self, x: Tensor) -> Tensor:
        """Return a tensor of another shape or type."""
        ways: list[Callable[[], Tensor]] = [
            lambda: x[None],
            lambda: torch.cat([x, x], -1) if x.dim() else x[None],
            lambda: x.to(torch.int64),
            lambda: x.to(torch.float64 if x.dtype != torch.float64 else torch.float32),
        ]
        return self.random.choice(ways)()
