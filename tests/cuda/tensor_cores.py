"""What tensor cores do to a product, in Triton's interpreter, which multiplies exactly whatever is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

HIDDEN_BITS = np.int32(13)
"""Of float32's mantissa, beyond the 10 bits that TF32 has."""


def cut(x: np.ndarray) -> np.ndarray:
    """Return float32 numbers rounded to TF32, to the nearest and to even."""
    bits = np.ascontiguousarray(x).view(np.int32)
    half = (np.int32(1) << (HIDDEN_BITS - 1)) - 1 + ((bits >> HIDDEN_BITS) & 1)
    return np.where(np.isfinite(x), (bits + half) >> HIDDEN_BITS << HIDDEN_BITS, bits).view(
        np.float32
    )


def multiply(a: np.ndarray, b: np.ndarray, precision: str) -> np.ndarray:
    """Return a b as tensor cores compute it from float32: summed in float32."""
    if precision == "ieee":
        return np.matmul(a, b)
    high_a, high_b = cut(a), cut(b)
    product = np.matmul(high_a, high_b)
    if precision == "tf32":
        return product
    low_a, low_b = cut(a - high_a), cut(b - high_b)
    return np.matmul(low_a, high_b) + np.matmul(high_a, low_b) + product


@contextlib.contextmanager
def emulated() -> Iterator[set[str]]:
    """Have the interpreter multiply as tensor cores do; yields the set of precisions that were asked for."""
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    exact, asked = InterpreterBuilder.create_dot, set()

    def create_dot(self, a, b, d, input_precision, most):
        name = getattr(input_precision, "name", str(input_precision)).lower()
        asked.add(name)
        if a.data.dtype != np.float32:
            return exact(self, a, b, d, input_precision, most)
        return TensorHandle(multiply(a.data, b.data, name) + d.data, d.dtype.scalar)

    InterpreterBuilder.create_dot = create_dot
    try:
        yield asked
    finally:
        InterpreterBuilder.create_dot = exact
