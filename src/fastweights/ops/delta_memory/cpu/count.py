"""How many floating-point operations the fused memory needs, for shares of a machine's peak."""

from __future__ import annotations


def flops(
    time: int,
    *,
    outer: int,
    inner: int,
    value: int,
    reads: int,
    chunk: int,
    carried: bool,
    projected: bool = True,
    final_grad: bool = False,
    memory_grad: bool = False,
) -> int:
    """Count the operations of one row, forward and backward: those of matrix products, a multiply-add being two.

    Not counted: what padding adds (lanes and tiles that are not full, the upper half of causal blocks), norms,
    normalisation, decays and elementwise products. Nothing is counted twice for having to be made again, but for the
    scores, which the backward makes again rather than keep.

    Per step, in units of all cells of F: forward F k and R reads where F is not zero, and the step's share of F at the
    chunk's end; backward twice that share, where F at the end has a gradient, the gradients of F k and reads by their
    factors, and by F where that at the chunk's start has one. Per pair of steps that sees another: forward a score by
    each factor and a multiple of w for the write and each read; backward five such products a factor.

    Args:
        time: steps, all of them read.
        outer, inner, value, reads: sizes; `outer` 0 with one key factor.
        chunk: steps between the makings of F.
        carried: whether there is an initial memory.
        projected: whether F k is needed: by the delta rule and by the clamp.
        final_grad: whether the final memory has a gradient.
        memory_grad: whether that of the initial memory is made.

    Example:
        >>> flops(1, outer=2, inner=2, value=2, reads=1, chunk=1, carried=False)
        60
    """
    cells, keys = max(outer, 1) * inner * value, outer + inner
    contracted = reads + projected
    total = 0
    for start in range(0, time, chunk):
        steps = min(chunk, time - start)
        full = start > 0 or carried
        grown = steps * cells
        total += grown * (contracted * full + 1)
        total += grown * (2 * (final_grad or start + steps < time) + contracted * full)
        total += grown * contracted * (start > 0 or (carried and memory_grad))
        pairs = projected * steps * (steps - 1) // 2 + reads * steps * (steps + 1) // 2
        total += pairs * ((keys + value) + (3 * keys + 2 * value))
    return 2 * total
