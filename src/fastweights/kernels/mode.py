"""How a thread rounds: whether it flushes denormal numbers to zero, which torch sets on the calling thread alone.

A kernel on several threads hands the caller's mode to each worker: its bits do not depend on how many there are.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils

from fastweights.kernels.emit import operation

_WORD = ir.IntType(32)
_LONG = ir.IntType(64)


@operation
def arithmetic_mode(typingctx: Any) -> Any:
    """arithmetic_mode(): the mode of this thread, as `use_mode` takes it; 0 on processors that have none we know."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _arm():
            return _call(builder, "llvm.aarch64.get.fpcr", _LONG, [])
        if not _x86():
            return _LONG(0)
        word = cgutils.alloca_once(builder, _WORD)
        _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [_bytes(builder, word)])
        return builder.zext(builder.load(word), _LONG)

    return types.int64(), codegen


@operation
def use_mode(typingctx: Any, mode: Any) -> Any:
    """use_mode(mode): this thread rounds as the one whose mode it is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _arm():
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [args[0]])
        elif _x86():
            word = cgutils.alloca_once(builder, _WORD)
            builder.store(builder.trunc(args[0], _WORD), word)
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [_bytes(builder, word)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


def _call(builder: Any, name: str, result: Any, args: list[Any]) -> Any:
    kind = ir.FunctionType(result, [x.type for x in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _bytes(builder: Any, word: Any) -> Any:
    return builder.bitcast(word, ir.IntType(8).as_pointer())


def _architecture() -> str:
    return llvm.get_process_triple().split("-")[0]


def _x86() -> bool:
    return _architecture() in ("x86_64", "i686", "i386")


def _arm() -> bool:
    return _architecture() in ("aarch64", "arm64")
