"""The SIMD layer against NumPy."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fastweights.kernels import access, blocks, elementary, layout, record, simd, tiles, transpose
from fastweights.kernels.isa import host

DTYPES = [np.float32, np.float64]
ROWS = 3
AREA = ROWS * ROWS


def lanes(dtype: type) -> int:
    return host().vector_bytes // np.dtype(dtype).itemsize


def numbers(dtype: type, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count).astype(dtype)


@numba.njit
def _unary(which, x, y, like):
    p, q = simd.pointer(x, like), simd.pointer(y, like)
    v = simd.load(p, 0)
    if which == 0:
        v = simd.relu(v)
    elif which == 1:
        v = elementary.tanh(v)
    elif which == 2:
        v = simd.root(v)
    elif which == 3:
        v = simd.splat(simd.total(v))
    elif which == 4:
        v = (v + simd.one(p)) * v - v / simd.splat(simd.scalar(like, 4))
    elif which == 5:
        v = simd.where_positive(v, simd.one(p))
    elif which == 6:
        v = elementary.sigmoid(v)
    else:
        zero = blocks.zeros(p, 1)[0]
        v = simd.where_at_most(v, zero, simd.one(p), v)
    simd.store(q, 0, v)


def unary(which: int, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _unary(which, x.ctypes.data, out.ctypes.data, x.dtype.type(0))
    return out


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic(dtype):
    x = numbers(dtype, lanes(dtype))
    near = {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
    np.testing.assert_array_equal(unary(0, x), np.maximum(x, 0))
    np.testing.assert_array_equal(unary(2, abs(x)), np.sqrt(abs(x)))
    np.testing.assert_allclose(unary(3, x), np.full_like(x, x.astype(np.float64).sum()), **near)
    # Each operation rounded as it stands: what fuses or not as the compiler likes gives other bits in other places.
    np.testing.assert_array_equal(unary(4, x), (x + 1) * x - x / dtype(4))
    np.testing.assert_array_equal(unary(5, x), (x > 0).astype(dtype))
    np.testing.assert_array_equal(unary(7, x), np.where(x <= 0, 1, x))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_tanh_is_good_to_a_few_units_in_the_last_place(dtype, data):
    width = 8 * np.dtype(dtype).itemsize
    finite = st.floats(-60, 60, width=width)
    x = data.draw(arrays.arrays(dtype, lanes(dtype), elements=finite))
    truth = np.tanh(x.astype(np.longdouble))
    tiny = np.finfo(dtype).tiny
    error = abs(unary(1, x) - truth) / np.maximum(abs(truth), tiny / np.finfo(dtype).eps)
    assert error.max() < 8 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_sigmoid_is_good_to_a_few_units_in_the_last_place(dtype, data):
    """A few more where it is tiny: the multiples of log 2 taken off are then as large as x."""
    finite = st.floats(-80, 80, width=8 * np.dtype(dtype).itemsize)
    x = data.draw(arrays.arrays(dtype, lanes(dtype), elements=finite))
    truth = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    error = abs(unary(6, x) - truth) / truth
    assert (error < (8 + abs(x)) * np.finfo(dtype).eps).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", [0, 1, 2, 4, 6])
def test_nan_survives(dtype, which):
    x = np.ones(lanes(dtype), dtype)
    x[1] = np.nan
    assert np.isnan(unary(which, x)).tolist() == np.isnan(x).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinities(dtype):
    x = np.zeros(lanes(dtype), dtype)
    x[:2] = np.inf, -np.inf
    assert unary(0, x)[:2].tolist() == [np.inf, 0]
    assert unary(1, x)[:2].tolist() == [1, -1]
    assert unary(6, x)[:2].tolist() == [1, 0]


@numba.njit
def _first(x, count, out, like):
    p, q = simd.pointer(x, like), simd.pointer(out, like)
    access.prefetch(p, 0)
    access.store_first(q, 1, count, access.load_first(p, 0, count) + simd.one(p))
    simd.store(q, 2 + simd.lane_count(p), access.load_first(p, 0, count))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_the_first_lanes_alone_are_read_and_written(dtype, count):
    width = lanes(dtype)
    x, out = numbers(dtype, width), np.full(2 + 2 * width, 7, dtype)
    _first(x.ctypes.data, count, out.ctypes.data, dtype(0))
    real = np.arange(width) < count
    assert out[0] == out[1 + width] == 7
    np.testing.assert_array_equal(out[1 : 1 + width], np.where(real, x + 1, 7))
    np.testing.assert_array_equal(out[2 + width :], np.where(real, x, 0))


@numba.njit
def _tiles(x, y, out, like):
    p, q, to = simd.pointer(x, like), simd.pointer(y, like), simd.pointer(out, like)
    row = blocks.zeros(p, 2)
    stride = 2 * simd.lane_count(p)
    tile = tiles.load_tile(blocks.zeros(p, 6), row, to, 0, stride)
    for k in range(4):
        tile = tiles.add_rank_one(tile, row, p, k, 4, q, k * stride)
    tiles.store_tile(tile, row, to, 0, stride)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tile_is_a_matrix_product(dtype):
    width = 2 * lanes(dtype)
    x, y, out = (numbers(dtype, n, seed=n) for n in (3 * 4, 4 * width, 3 * width))
    truth = out.reshape(3, width) + x.reshape(3, 4) @ y.reshape(4, width)
    _tiles(x.ctypes.data, y.ctypes.data, out.ctypes.data, dtype(0))
    np.testing.assert_allclose(out.reshape(3, width), truth, rtol=2e-5, atol=2e-5)


@numba.njit
def _tile_arithmetic(x, y, row, out, like):
    p, q = simd.pointer(x, like), simd.pointer(y, like)
    r, to = simd.pointer(row, like), simd.pointer(out, like)
    lanes = simd.lane_count(p)
    line = blocks.load_rows(blocks.zeros(p, 2), r, 0, lanes)
    zero = tiles.zero_tile(line, 3)
    xs = tiles.load_tile(zero, line, p, 0, 2 * lanes)
    ys = tiles.load_tile(zero, line, q, 0, 2 * lanes)
    tiles.store_tile(tiles.fma_tile(xs, ys, line), line, to, 0, 2 * lanes)
    blocks.store_rows(tiles.fold_tiles(line, xs, ys), to, 6 * lanes, lanes)
    tiles.store_tile(zero, line, to, 8 * lanes, 2 * lanes)


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic_of_tiles(dtype):
    width = 2 * lanes(dtype)
    x, y, row = (
        numbers(dtype, n, seed=s).reshape(-1, width)
        for s, n in enumerate((3 * width, 3 * width, width))
    )
    out = np.full((7, width), 7, dtype)
    _tile_arithmetic(*(a.ctypes.data for a in (x, y, row, out)), dtype(0))
    near = {"rtol": 2e-5, "atol": 2e-5}
    np.testing.assert_allclose(out[:3], x + y * row, **near)
    np.testing.assert_allclose(out[3], row[0] + (x * y).sum(0), **near)
    assert not out[4:].any()


@numba.njit
def _blocks(x, scalars, tile, out, like):
    p, w, q = simd.pointer(x, like), simd.pointer(scalars, like), simd.pointer(out, like)
    lanes = simd.lane_count(p)
    xs = blocks.load_rows(blocks.zeros(p, ROWS), p, 0, lanes)
    rows = blocks.add_scaled_rows(xs, p, lanes, lanes, simd.load(p, 0))
    rows = blocks.add_outer(rows, w, 0, simd.load(p, lanes))
    rows = blocks.fma_rows(rows, xs, simd.load(p, 2 * lanes))
    rows = blocks.scale_rows(rows, simd.load(p, 3 * lanes))
    blocks.store_rows(rows, q, 0, lanes)
    simd.store(q, ROWS * lanes, blocks.dot_rows(rows, xs, simd.load(p, 0)))
    products = blocks.add_products(blocks.zeros(p, AREA), xs, rows)
    blocks.put_totals(products, xs, simd.pointer(tile, like), 0, ROWS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_register_blocks(dtype):
    x = numbers(dtype, 4 * lanes(dtype)).reshape(4, -1)
    scalars = numbers(dtype, ROWS, 1)
    out = np.zeros((ROWS + 1, lanes(dtype)), dtype)
    tile = np.zeros((ROWS, ROWS), dtype)
    _blocks(x.ctypes.data, scalars.ctypes.data, tile.ctypes.data, out.ctypes.data, dtype(0))
    rows = (x[:3] + x[1:] * x[0] + scalars[:, None] * x[1] + x[:3] * x[2]) * x[3]
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == np.float32 else {"rtol": 1e-13, "atol": 1e-13}
    np.testing.assert_allclose(out[:ROWS], rows, **near)
    np.testing.assert_allclose(out[ROWS], x[0] + (rows * x[:3]).sum(0), **near)
    np.testing.assert_allclose(tile, x[:3] @ rows.T, **near)


@numba.njit
def _round_trip(x, stride, count, spare, lines, back, dump, like):
    p, q, r = simd.pointer(x, like), simd.pointer(lines, like), simd.pointer(back, like)
    lanes = simd.lane_count(p)
    transpose.transpose_tile(p, 0, stride, count, simd.pointer(spare, like), q, 0, lanes)
    transpose.transpose_back(q, 0, lanes, r, 0, stride, count, simd.pointer(dump, like))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("missing", [0, 1])
def test_transpose_and_back(dtype, missing):
    n = lanes(dtype)
    count = n - missing
    x = numbers(dtype, n * (n + 3)).reshape(n, -1)
    lines, back = np.full((n, n), np.nan, dtype), np.full_like(x, 7)
    spare, dump = np.zeros(n, dtype), np.zeros(n, dtype)
    pointers = [a.ctypes.data for a in (spare, lines, back, dump)]
    _round_trip(x.ctypes.data, n + 3, count, *pointers, dtype(0))
    np.testing.assert_array_equal(lines[:, :count], x[:count, :n].T)
    assert not lines[:, count:].any()
    np.testing.assert_array_equal(back[:count, :n], x[:count, :n])
    assert (back[count:] == 7).all()
    assert (back[:, n:] == 7).all()


_read = record.reader(("height", "width"))


@numba.njit
def _area(address):
    size = _read(address)
    return size.height * size.width + 100 * size.width


def test_records_reach_kernels_by_name():
    packed = layout.pack((5, 7))
    assert _area(packed.address) == 735
    assert packed.memory.tolist() == [5, 7]
