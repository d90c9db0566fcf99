"""Buffers of kernels: regions laid out one after the other, and records of integers that say where they lie."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from torch import Tensor

from fastweights.kernels import dense
from fastweights.kernels.types import Size

R = TypeVar("R", bound=tuple[int, ...])
R_co = TypeVar("R_co", bound=tuple[int, ...], covariant=True)


def round_up(size: Size, multiple: Size) -> Size:
    """Return the least multiple of `multiple` that is at least `size`.

    Example:
        >>> round_up(17, 16)
        32
    """
    return -(-size // multiple) * multiple


def offsets(sizes: dict[str, Size], start: Size = 0) -> tuple[dict[str, Size], Size]:
    """Lay out regions one after the other: return where each begins, and where the last ends.

    Example:
        >>> offsets({"keys": 6, "values": 4}, start=2)
        ({'keys': 2, 'values': 8}, 12)
    """
    places = {}
    for name, size in sizes.items():
        places[name] = start
        start += size
    return places, start


@dataclass(frozen=True, eq=False)
class Packed(Generic[R_co]):
    """A record of integers with a copy in memory that kernels read; the copy lives as long as this does.

    Attributes:
        record: the integers by name.
        memory: the same, 64 bits each.
        address: where they lie.
    """

    record: R_co
    memory: array[int]
    address: int


def pack(record: R) -> Packed[R]:
    """Copy a record to memory, for a kernel to read it through `kernels.record.reader`.

    Example:
        >>> pack((3, 4)).memory
        array('q', [3, 4])
    """
    memory = array("q", record)
    return Packed(record, memory, memory.buffer_info()[0])


@cache
def _places(record: type) -> tuple[dict[str, int], array[int]]:
    fields: tuple[str, ...] = vars(record)["_fields"]
    return {name: place for place, name in enumerate(fields)}, array("q", [0] * len(fields))


def addresses_of(record: type, **tensors: Tensor | None) -> array[int]:
    """Return where tensors lie, in the order of a record's fields; 0 for those that are None or left out.

    Raises:
        KeyError: for a tensor that is no field of the record.
        TypeError: for a tensor whose numbers lie elsewhere.
    """
    places, empty = _places(record)
    memory = empty[:]
    for name, tensor in tensors.items():
        if tensor is not None:
            if type(tensor) not in dense.PLAIN:  # a crash would follow
                raise TypeError(f"{name}: {dense.obstacle(tensor)}")
            memory[places[name]] = tensor.data_ptr()
    return memory
