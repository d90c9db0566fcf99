"""The forward pass: a program runs a row of the batch from the first step to the last, W and A in registers.

    z(t) = x(t) + W h(t-1)      h_0 = f(LN'[z])      h_s+1 = f(LN[z + A(t-1) h_s])      A(t) = λ A(t-1) + η h(t) h(t)ᵀ

W and A are held transposed, so that the sums of W h and A h run inside a thread. For the backward it leaves h_0 … h_S
of every step, what the layer normalisations made and 1 / σ, and A at the start of every chunk of time.
"""

from __future__ import annotations

import triton.language as tl

from fastweights.kernels.triton.language import Number, Pointer, constexpr, kernel
from fastweights.ops.fast_weight_rnn.cuda.cell import activate, standardise


@kernel
def forward(
    drive: Pointer, weight: Pointer, gain: Pointer, bias: Pointer, first_gain: Pointer,
    first_bias: Pointer, hidden: Pointer, memory: Pointer, decay: Pointer, rate: Pointer,
    outputs: Pointer, states: Pointer, standard: Pointer, inverse: Pointer,
    first_standard: Pointer, first_inverse: Pointer, borders: Pointer, time: Number, H: constexpr,
    SIZE: constexpr, S: constexpr, CHUNK: constexpr, EPS: constexpr, FLAT: constexpr,
    TANH: constexpr, NORM: constexpr, FIRST_NORM: constexpr, HAS_HIDDEN: constexpr,
    HAS_MEMORY: constexpr, SAVE: constexpr, BORDERS: constexpr,
) -> None:  # fmt: skip
    """Run row `program_id(0)`; `weight` is Wᵀ, `memory` and `borders` are Aᵀ, [row][column] in memory."""
    row = tl.program_id(0).to(tl.int64)
    k = tl.arange(0, SIZE)
    real = k < H
    square = k[:, None] * H + k[None, :]
    inside = real[:, None] & real[None, :]
    W = tl.load(weight + square, inside, 0.0)
    A, h = tl.zeros([SIZE, SIZE], W.dtype), tl.zeros([SIZE], W.dtype)
    if HAS_MEMORY:
        A = tl.load(memory + row * H * H + square, inside, 0.0)
    if HAS_HIDDEN:
        h = tl.load(hidden + row * H + k, real, 0.0)
    if NORM:
        scale, shift = tl.load(gain + k, real, 0.0), tl.load(bias + k, real, 0.0)
    if FIRST_NORM:
        first_scale = tl.load(first_gain + k, real, 0.0)
        first_shift = tl.load(first_bias + k, real, 0.0)
    fading, learning = tl.load(decay), tl.load(rate)
    for chunk in range(tl.cdiv(time, CHUNK)):
        if BORDERS:
            border = borders + (row * tl.cdiv(time, CHUNK) + chunk) * H * H
            tl.store(border + square, A, inside)
        for t in range(chunk * CHUNK, min(chunk * CHUNK + CHUNK, time)):
            step = row * time + t
            z = tl.load(drive + step * H + k, real, 0.0)
            z = tl.where(real, z + tl.sum(W * h[:, None], 0), 0.0)
            if not FLAT:
                if FIRST_NORM:
                    x, sigma = standardise(z, real, EPS, H)
                    if SAVE:
                        kept = x
                        if not HAS_MEMORY:  # h_0 is not read at the first step: it may be NaN
                            kept = tl.where(t > 0, x, 0.0)
                        tl.store(first_standard + step * H + k, kept, real)
                        tl.store(first_inverse + step, sigma)
                    h = activate(x * first_scale + first_shift, TANH)
                else:
                    h = activate(z, TANH)
            if SAVE:
                tl.store(states + step * (S + 1) * H + k, h, real)
            for s in range(S):
                read = tl.sum(A * h[:, None], 0)
                if (
                    not HAS_MEMORY
                ):  # nothing is stored before the first step, whatever would be read with
                    read = tl.where(t > 0, read, 0.0)
                y = tl.where(real, z + read, 0.0)
                if NORM:
                    x, sigma = standardise(y, real, EPS, H)
                    if SAVE:
                        tl.store(standard + (step * S + s) * H + k, x, real)
                        tl.store(inverse + step * S + s, sigma)
                    y = x * scale + shift
                h = activate(y, TANH)
                if SAVE:
                    tl.store(states + (step * (S + 1) + s + 1) * H + k, h, real)
            A = fading * A + (learning * h)[:, None] * h[None, :]
            tl.store(outputs + step * H + k, h, real)
