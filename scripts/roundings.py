"""What the plain form meets on its way: overflows, norms, and where it would come to if every operation rounded badly.

A result of 0, or one that the float64 reference finds with an error of 0, says nothing of the numbers it was summed
from. With every operation's result off by its last bit, the spread of the results is the scale of those.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from op_calls import Outcome
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

MOVES = {"clone", "_to_copy", "cat", "stack", "where", "masked_fill", "neg", "abs", "zeros_like"}
"""Operations that round nothing."""


class Rounded(TorchDispatchMode):
    """Within it every number that an operation finds is off by its last bit, at random, forwards and backwards.

    Whole numbers are found exactly, exponents and counts among them.
    """

    def __init__(self, eps: float, seed: int) -> None:
        super().__init__()
        self.eps, self.draws = eps, torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if name in MOVES or any(each.alias_info for each in func._schema.returns):
            return results
        if isinstance(results, tuple):
            return tuple(map(self._moved, results))
        return self._moved(results)

    def _moved(self, x: object) -> object:
        if not (isinstance(x, Tensor) and x.is_floating_point() and x.dim()):
            return x
        signs = torch.randint(-1, 2, x.shape, generator=self.draws)
        return torch.where(x == x.round(), x, x * (1 + self.eps * signs.to(x.dtype)))


class Watched(TorchDispatchMode):
    """What the operations within it come to.

    Attributes:
        overflows: whether any finds an infinity.
        norms: what vector norms were found, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.overflows, self.norms = False, list[Tensor]()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        for x in results if isinstance(results, tuple) else (results,):
            if isinstance(x, Tensor) and x.is_floating_point():
                self.overflows |= bool(x.isinf().any())
        if name == "linalg_vector_norm":
            self.norms.append(results.detach())
        return results


def watched(run: Callable[[], Outcome]) -> Watched:
    """Return what was met while a call ran."""
    with Watched() as seen:
        run()
    return seen
