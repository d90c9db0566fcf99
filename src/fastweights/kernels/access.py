"""Memory reached otherwise than in whole vectors: the first lanes of one, and lines fetched ahead."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from fastweights.kernels import emit
from fastweights.kernels.emit import operation
from fastweights.kernels.simd import vec_of


@operation
def load_first(typingctx: Any, base: Any, index: Any, count: Any) -> Any:
    """load_first(p, i, n): the vector at p[i], of which lanes n and later are 0 and not touched in memory."""
    vec = vec_of(base)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = context.get_value_type(vec)
        place, mask = _part(builder, vector, *args)
        kinds = [place.type, ir.IntType(32), mask.type, vector]
        load = _intrinsic(builder, "load", vector, vector, kinds)
        zero = ir.Constant(vector, [0.0] * vec.lanes)
        return builder.call(load, [place, _alignment(vector), mask, zero])

    return vec(base, types.intp, types.intp), codegen


@operation
def store_first(typingctx: Any, base: Any, index: Any, count: Any, value: Any) -> Any:
    """store_first(p, i, n, v): write the first n lanes of a vector at p[i]."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        *where, value = args
        place, mask = _part(builder, value.type, *where)
        kinds = [value.type, place.type, ir.IntType(32), mask.type]
        store = _intrinsic(builder, "store", value.type, ir.VoidType(), kinds)
        builder.call(store, [value, place, _alignment(value.type), mask])
        return context.get_dummy_value()

    return types.void(base, types.intp, types.intp, value), codegen


@operation
def prefetch(typingctx: Any, base: Any, index: Any) -> Any:
    """prefetch(p, i): fetch the cache line of p[i], which is soon read; any address will do."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        line = builder.bitcast(emit.address(builder, *args), byte)
        builder.call(function, [line, flag(0), flag(3), flag(1)])  # for reading, all caches, data
        return context.get_dummy_value()

    return types.void(base, types.intp), codegen


def _part(builder: Any, vector: Any, base: Any, index: Any, count: Any) -> tuple[Any, Any]:
    """Where a vector lies, and the mask of its first `count` lanes."""
    place = builder.bitcast(emit.address(builder, base, index), vector.as_pointer())
    lanes = ir.Constant(ir.VectorType(count.type, vector.count), list(range(vector.count)))
    limit = emit.splat(builder, lanes.type, count)
    return place, builder.icmp_signed("<", lanes, limit)


def _intrinsic(builder: Any, name: str, vector: Any, result: Any, kinds: list[Any]) -> Any:
    bits = 32 if isinstance(vector.element, ir.FloatType) else 64
    shape = f"v{vector.count}f{bits}"
    full = f"llvm.masked.{name}.{shape}.p0{shape}"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), full)


def _alignment(vector: Any) -> Any:
    return ir.IntType(32)(4 if isinstance(vector.element, ir.FloatType) else 8)
