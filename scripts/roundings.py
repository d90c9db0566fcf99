"""What the plain form meets on its way: overflows, norms, and where it would come to if every operation rounded badly.

A result of 0, or one that the float64 reference finds with an error of 0, says nothing of the numbers it was summed
from. With every operation's result off by its last bit, the spread of the results is the scale of those.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from op_calls import Outcome
from torch import Tensor
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode

MOVES = {"clone", "_to_copy", "cat", "stack", "where", "masked_fill", "neg", "abs", "zeros_like"}
"""Operations that round nothing."""
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm"}
"""Sums of products of their last two arguments."""


class Rounded(TorchDispatchMode):
    """Within it every number that an operation finds is off by its last bit, at random, forwards and backwards.

    A sum is off by that of its terms, and a layer norm is the operations it is made of. Whole numbers are
    found exactly: exponents and counts are.

    Attributes:
        normed: what layer norms were given, in order.
    """

    def __init__(self, eps: float, seed: int) -> None:
        super().__init__()
        self.eps, self.draws = eps, torch.Generator().manual_seed(seed)
        self.normed = list[Tensor]()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in PARTS:
            if func is NORM:
                self.normed.append(args[0].detach())
            with self:
                return PARTS[func](*args, **kwargs)
        results, name = func(*args, **kwargs), _name(func)
        if name in MOVES or any(each.alias_info for each in func._schema.returns):
            return results
        if name in PRODUCTS:
            a, b = args[-2:]
            return self._moved(results, (a.square() @ b.square()).sqrt())
        if name == "sum":
            return self._moved(results, func(args[0].square(), *args[1:], **kwargs).sqrt())
        if isinstance(results, tuple):
            return tuple(map(self._moved, results))
        return self._moved(results)

    def _moved(self, x: object, terms: Tensor | None = None) -> object:
        """Return a result off by ε of itself, and of the size of its terms."""
        if not (isinstance(x, Tensor) and x.is_floating_point() and x.dim()):
            return x
        off = torch.where(x == x.round(), 0, x)
        for size in (off,) if terms is None else (off, terms):
            signs = torch.randint(-1, 2, x.shape, generator=self.draws)
            x = x + self.eps * signs.to(x.dtype) * size.nan_to_num(0, 0, 0)
        return x


def layer_norm(
    x: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `torch.native_layer_norm` does, in parts, over the last dimension."""
    away = x - x.sum(-1, keepdim=True) / shape[0]
    scale = (away.square().sum(-1, keepdim=True) / shape[0] + eps).rsqrt()
    found = away * scale
    found = found if weight is None else found * weight
    return found if bias is None else found + bias, x - away, scale


NORM = torch.ops.aten.native_layer_norm.default
PARTS = {
    NORM: layer_norm,
    torch.ops.aten.native_layer_norm_backward.default: decomposition_table[
        torch.ops.aten.native_layer_norm_backward.default
    ],
}


def _name(func: torch._ops.OpOverload) -> str:
    return func._schema.name.partition("::")[2]


class Watched(TorchDispatchMode):
    """What the operations within it come to.

    Attributes:
        largest: the largest number that any finds, at times infinity.
        normed: what layer norms were given, and one over the deviation that they divided by, in order.
        norms: what vector norms were found, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.normed = 0.0, list[tuple[Tensor, Tensor]]()
        self.norms = list[Tensor]()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for x in results if isinstance(results, tuple | list) else (results,):
            if isinstance(x, Tensor) and x.is_floating_point() and x.numel():
                self.largest = max(
                    self.largest, float(x.detach().abs().nan_to_num(0, math.inf).max())
                )
        if func is NORM and results[0].numel():
            x, scale = args[0].detach(), results[2]
            self.normed.append((x, scale))
            if float(x.abs().max()) ** 2 > torch.finfo(scale.dtype).max:
                self.largest = math.inf  # its variance is
        if _name(func) == "linalg_vector_norm":
            self.norms.append(results.detach())
        return results


def watched(run: Callable[[], Outcome]) -> Watched:
    """Return what was met while a call ran."""
    with Watched() as seen:
        run()
    return seen
