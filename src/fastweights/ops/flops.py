"""How many floating-point operations each recurrence needs, forward and backward: for shares of a machine's peak."""

from __future__ import annotations


def fast_weight_rnn(batch: int, time: int, hidden: int, inner_steps: int = 1) -> int:
    """Count the matrix work of the attention form of `ops.fast_weight_rnn`.

    Forward: 2H² a step for W h, and for each inner step 4H for every earlier state (its product with h_s, its share
    of the sum); backward: twice that. Building A costs about as much at the sizes measured, so no form gains by it.

    Example:
        >>> fast_weight_rnn(batch=1, time=2, hidden=3)
        144
    """
    slow = 2 * hidden * hidden * time
    fast = inner_steps * 4 * hidden * (time * (time - 1) // 2)
    return 3 * batch * (slow + fast)


def lstm(batch: int, time: int, hidden: int, projected: int) -> int:
    """Count the matrix work of an LSTM of equal input and hidden size.

    W_hh h at every step and W_ih x of `projected` vectors, 2 · 4H · H each, and twice that backward.

    Example:
        >>> lstm(batch=2, time=5, hidden=3, projected=10)
        4320
    """
    return 3 * 8 * hidden**2 * (batch * time + projected)


def delta_memory(
    batch: int, time: int, size: int, *, factors: int = 2, reads: int = 1, carried: bool = False
) -> int:
    """Count the matrix work of `ops.delta_memory` in chunks as its fused backend takes them.

    Only what is retrieved has a gradient, and the memory carried over needs none.

    Args:
        batch: rows, heads included.
        time: steps, all of them read.
        size: of every key factor and of the values.
        factors: of the key, 1 or 2.
        reads: of a step.
        carried: whether there is an initial memory.

    Example:
        >>> delta_memory(batch=1, time=1, size=2)
        60
    """
    from fastweights.ops.delta_memory.cpu import count
    from fastweights.ops.delta_memory.cpu.plan import pick_chunk

    return batch * count.flops(
        time,
        outer=size if factors == 2 else 0,
        inner=size,
        value=size,
        reads=reads,
        chunk=pick_chunk(time, size**factors, empty=not carried, needs_memory_grad=False),
        carried=carried,
    )
