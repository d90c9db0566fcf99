"""The backward pass: a program runs a row of the batch from the last step to the first, W and G in registers.

A(t-1) cannot be had back from A(t), for 1 / λ grows. With n steps of the chunk before step t, whose start had A,

    A(t-1)ᵀ dy = λⁿ Aᵀ dy + η Σ_τ λ^(t-1-τ) h(τ) ⟨h(τ), dy⟩          over the chunk's steps τ before t

Of ∂A a step needs the symmetric part alone, G = ∂A + ∂Aᵀ:

    dh(t) += η G h(t)      dη += ½ ⟨h(t), G h(t)⟩      G ← λ G + Σ_s (dy h_sᵀ + h_s dyᵀ)

The gradients that are products over all steps, of W and A(0), and that of λ, are made outside (`gradients`).
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import Number, Pointer, Tile, constexpr, helper, kernel
from fastweights.ops.fast_weight_rnn.cuda.cell import activate_backward, standardise_backward


@helper
def times_dy(A: Pointer, dy: Tile, H: constexpr, SIZE: constexpr, WIDTH: constexpr) -> Tile:
    """Aᵀ dy of a matrix in memory, WIDTH columns at a time: registers hold W and G already."""
    i, j, blocks = tl.arange(0, SIZE), tl.arange(0, WIDTH), tl.arange(0, SIZE // WIDTH)
    found = tl.zeros([SIZE // WIDTH, WIDTH], dy.dtype)
    for block in range(SIZE // WIDTH):
        column = block * WIDTH + j
        there = (i < H)[:, None] & (column < H)[None, :]
        part = tl.load(A + i[:, None] * H + column[None, :], there, 0.0)
        part = tl.sum(part * dy[:, None], 0)
        found = tl.where(blocks[:, None] == block, part[None, :], found)
    return tl.reshape(found, [SIZE])


@kernel
def backward(
    gradient: Pointer, weight: Pointer, gain: Pointer, first_gain: Pointer, powers: Pointer,
    rate: Pointer, states: Pointer, standard: Pointer, inverse: Pointer, first_standard: Pointer,
    first_inverse: Pointer, borders: Pointer, drive_gradient: Pointer, read_gradients: Pointer,
    first_gradients: Pointer, sums: Pointer, rate_sums: Pointer, hidden_gradient: Pointer,
    time: Number, H: constexpr, SIZE: constexpr, S: constexpr, CHUNK: constexpr, FLAT: constexpr,
    TANH: constexpr, NORM: constexpr, FIRST_NORM: constexpr, HAS_MEMORY: constexpr,
    BORDERS: constexpr, WANTS_RATE: constexpr, KEEP_READS: constexpr, WIDTH: constexpr,
) -> None:  # fmt: skip
    """Run row `program_id(0)`; `powers` are λ⁰ … λ^CHUNK, `borders` are A.

    It leaves a row's gradients of gain, bias (`sums`) and η, and those by the preliminary LN's results at every step:
    summed outside.
    """
    row = tl.program_id(0).to(tl.int64)
    k, i = tl.arange(0, SIZE), tl.arange(0, CHUNK)
    real = k < H
    square = k[:, None] * H + k[None, :]
    inside = real[:, None] & real[None, :]
    W = tl.load(weight + square, inside, 0.0)
    G = tl.zeros([SIZE, SIZE], W.dtype)
    dh = tl.zeros([SIZE], W.dtype)
    d_gain, d_bias, d_rate = dh, dh, dh
    fading, learning = tl.load(powers + 1), tl.load(rate)
    chunks = tl.cdiv(time, CHUNK)
    for back in range(chunks):
        chunk = chunks - 1 - back
        start = chunk * CHUNK
        length = min(CHUNK, time - start)
        there = (i < length)[:, None] & real[None, :]
        places = ((row * time + start + i) * (S + 1) + S)[:, None] * H + k[None, :]
        history = tl.load(states + places, there, 0.0)
        if BORDERS:
            border = borders + (row * chunks + chunk) * H * H
        for back_step in range(length):
            n = length - 1 - back_step
            step = row * time + start + n
            state = states + step * (S + 1) * H + k
            h = tl.load(state + S * H, real, 0.0)
            written = tl.sum(G * h[:, None], 0)
            if WANTS_RATE:
                d_rate += 0.5 * h * written
            dh += tl.load(gradient + step * H + k, real, 0.0) + learning * written
            G = fading * G
            dz = tl.zeros([SIZE], W.dtype)
            weights = tl.load(powers + (n - 1 - i), i < n, 0.0) * learning
            for back_read in range(S):
                s = S - 1 - back_read
                dy = activate_backward(dh, tl.load(state + (s + 1) * H, real, 0.0), TANH)
                if NORM:
                    x = tl.load(standard + (step * S + s) * H + k, real, 0.0)
                    d_gain += dy * x
                    d_bias += dy
                    dy *= tl.load(gain + k, real, 0.0)  # each time: registers are short
                    sigma = tl.load(inverse + step * S + s)
                    dy = standardise_backward(dy, x, sigma, real, H)
                if KEEP_READS:
                    tl.store(read_gradients + (step * S + s) * H + k, dy, real)
                dz += dy
                found = weights * tl.sum(history * dy[None, :], 1)
                dh = tl.sum(history * found[:, None], 0)
                if BORDERS:
                    dh += tl.load(powers + n) * times_dy(border, dy, H, SIZE, WIDTH)
                query = tl.load(state + s * H, real, 0.0)
                G += dy[:, None] * query[None, :] + query[:, None] * dy[None, :]
            if FLAT:
                straight = dh
            else:
                straight = tl.zeros([SIZE], W.dtype)
                # Without a memory h_0 was not read at the first step: it may be NaN.
                first_read = k < (H if HAS_MEMORY else tl.where(start + n > 0, H, 0))
                first = activate_backward(dh, tl.load(state, first_read, 0.0), TANH)
                if FIRST_NORM:
                    x = tl.load(first_standard + step * H + k, real, 0.0)
                    tl.store(first_gradients + step * H + k, first, real)
                    sigma = tl.load(first_inverse + step)
                    first *= tl.load(first_gain + k, real, 0.0)
                    first = standardise_backward(first, x, sigma, first_read, H)
                dz += first
            tl.store(drive_gradient + step * H + k, dz, real)
            dh = straight + tl.sum(W * dz[:, None], 0)
    tl.store(hidden_gradient + row * H + k, dh, real)
    tl.store(rate_sums + row, tl.sum(d_rate, 0))
    if NORM:
        tl.store(sums + row * 2 * H + k, d_gain, real)
        tl.store(sums + (row * 2 + 1) * H + k, d_bias, real)
