"""Names for what kernels handle.

Numba infers these types when it compiles, and a type checker sees none of them; the names are for readers.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Size: TypeAlias = Any
"""An int, or a symbolic one while torch traces with unknown sizes."""
Record: TypeAlias = Any
"""A `NamedTuple` of integers as a kernel sees it; see `kernels.record`."""
Pointer: TypeAlias = Any
"""A pointer to scalars of a known type; indices count scalars."""
Vector: TypeAlias = Any
"""One vector register of scalars."""
Block: TypeAlias = Any
"""A register block: a tuple of vectors."""
Real: TypeAlias = Any
"""A float32 or float64 scalar."""
