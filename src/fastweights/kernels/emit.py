"""The LLVM code that the SIMD layer emits: each function adds instructions to a builder and returns their value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from fastweights.kernels.isa import host


def operation(typing: Callable[..., Any]) -> Any:
    """Turn a code generator into an operation that kernels call.

    Args:
        typing: called with a typing context and the Numba types of the arguments. Returns the operation's signature and
            a function of (context, builder, signature, values) that emits LLVM instructions and returns their value;
            None where the types do not fit. Its docstring says what a kernel writes and what it gets.
    """
    return intrinsic(typing)


def address(builder: Any, base: Any, index: Any) -> Any:
    """The pointer `index` scalars after `base`."""
    return builder.gep(base, [index])


def load(builder: Any, vec: Any, base: Any, index: Any) -> Any:
    """A vector from `base[index]`, aligned as a scalar is."""
    where = builder.bitcast(address(builder, base, index), vec.as_pointer())
    value = builder.load(where)
    value.align = 4 if isinstance(vec.element, ir.FloatType) else 8
    return value


def store(builder: Any, value: Any, base: Any, index: Any) -> None:
    """A vector to `base[index]`."""
    where = builder.bitcast(address(builder, base, index), value.type.as_pointer())
    builder.store(value, where, align=4 if isinstance(value.type.element, ir.FloatType) else 8)


def splat(builder: Any, vec: Any, scalar: Any) -> Any:
    """A scalar in every lane."""
    single = builder.insert_element(ir.Constant(vec, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vec.count), [0] * vec.count)
    return builder.shuffle_vector(single, ir.Constant(vec, ir.Undefined), zeros)


def fma(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z, rounded once where the machine can.

    Said outright: a compiler that is free to fuse does so or not as the code around it falls, and a kernel would give
    other last bits on one thread than on two.
    """
    if not host().fused:
        return builder.fadd(builder.fmul(x, y), z)
    bits = 32 if isinstance(x.type.element, ir.FloatType) else 64
    kind = ir.FunctionType(x.type, [x.type] * 3)
    name = f"llvm.fma.v{x.type.count}f{bits}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [x, y, z])


def at(builder: Any, index: Any, stride: Any, count: int) -> Any:
    """index + count stride."""
    return builder.add(index, builder.mul(stride, ir.Constant(stride.type, count)))


def shuffle(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    """Lanes of x, then y, in the order given."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
    return builder.shuffle_vector(x, y, mask)


def unpack(builder: Any, value: Any, count: int) -> list[Any]:
    """The vectors of a register block."""
    return [builder.extract_value(value, i) for i in range(count)]


def pack(context: Any, builder: Any, kind: Any, values: list[Any]) -> Any:
    """A register block of the vectors."""
    return context.make_tuple(builder, kind, values)


def zero(x: Any) -> Any:
    """A vector of zeros like x."""
    return ir.Constant(x.type, [0.0] * x.type.count)
