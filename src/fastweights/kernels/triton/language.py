"""What the kernels add to Triton's language: how an entry point is declared, and the one product of tiles."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import triton
import triton.language as tl

if (
    TYPE_CHECKING
):  # the checker sees numbers; Triton's compiler looks names up, and accepts its own alone
    Pointer: TypeAlias = Any
    Number: TypeAlias = Any
    Tile: TypeAlias = Any
    constexpr: TypeAlias = Any
else:
    Pointer = tl.pointer_type  # a tensor's address
    Number = (
        tl.int32
    )  # an integer that differs from call to call: no kernel is compiled for one of them alone
    Tile = tl.tensor  # a block of numbers in registers; its sides are powers of 2
    constexpr = tl.constexpr


def kernel(function: Callable[..., Any]) -> Any:
    """Declare an entry point: arguments are annotated Pointer, Number or constexpr."""
    parameters = inspect.signature(function).parameters.items()
    numbers = [name for name, each in parameters if each.annotation in ("Number", Number)]
    return triton.jit(do_not_specialize=numbers)(function)


helper: Callable[[Callable[..., Any]], Any] = triton.jit
"""Declare a function that kernels call."""


@helper
def dot(a: Tile, b: Tile, P: constexpr) -> Tile:
    """a b, summed in the type of a; `launch.precision` has what P is. Triton's own default is plain TF32."""
    return tl.dot(a, b, input_precision=P, out_dtype=a.dtype)
