"""Named integers in memory, for kernels that need many: one argument instead of forty.

A kernel's sizes, flags, offsets and addresses make a `NamedTuple` in Python. `layout.pack` copies it to memory as
64-bit integers, and `reader(fields)` returns the function that kernels call to see them as attributes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from fastweights.kernels.emit import operation
from fastweights.kernels.numba_internals import (
    AttributeTemplate,
    infer_getattr,
    lower_getattr_generic,
)


class Record(types.Type):
    """The Numba type of a pointer to the integers of a `NamedTuple` class."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        super().__init__(name=f"Record({', '.join(fields)})")


@register_model(Record)
class RecordModel(models.PrimitiveModel):
    """A `Record` is a pointer to 64-bit integers."""

    def __init__(self, manager: Any, fe_type: Record) -> None:
        super().__init__(manager, fe_type, ir.IntType(64).as_pointer())


@infer_getattr
class RecordAttribute(AttributeTemplate):
    """Every field is an integer."""

    key = Record

    def generic_resolve(self, record: Record, name: str) -> Any:
        return types.int64 if name in record.fields else None


@lower_getattr_generic(Record)
def _load_field(context: Any, builder: Any, kind: Record, record: Any, name: str) -> Any:
    place = builder.gep(record, [ir.IntType(64)(kind.fields.index(name))])
    return builder.load(place)


def reader(fields: tuple[str, ...]) -> Callable[[int], Any]:
    """Return the function by which kernels read a record of these fields at an address."""
    kind = Record(fields)

    @operation
    def read(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

        return kind(types.int64), codegen

    return read
