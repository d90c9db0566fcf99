"""The memory layout of a fused backward's scratch, known before any kernel runs; see `plan`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from fastweights.kernels.layout import Packed, offsets, pack
from fastweights.ops.delta_memory.cpu.plan import Plan


class BackwardPlan(NamedTuple):
    """The layout of the backward's scratch, after what it shares with the forward's; see `Plan`.

    Attributes:
        wants_memory, wants_gate: whether these gradients are made.
        has_final: whether there is a gradient by the final memory.
        received_row, received_step: scalars from a row, and a step, of the gradient of what was read to the next.
        stride: scalars of scratch for each worker, in which start at:
        error: v − α F k (delta rule) or v, by step.
        written_gradient: ∂w, by step.
        outer_steps_gradient, inner_steps_gradient, outer_lines_gradient, inner_lines_gradient: of the key factors,
            as keys by step and as queries in lines.
        query_outer_gradient, query_inner_gradient: of a block's query factors, in lines.
        gradient_lines, gradient_steps: of what a block's queries found.
        score_gradient: ∂(score) for each step of the chunk and lane of a block.
        flow: ⟨∂x, x⟩ over the reads of each step.
        across: ⟨w, F̄ k⟩ of each step.
        square_gradient: of ‖k‖², by step.
        gate_lines, gate_sums: the gradient of g, spread over lanes, and the rest of it.
        memory_sum: F̄.
    """

    wants_memory: int
    wants_gate: int
    has_final: int
    received_row: int
    received_step: int
    stride: int
    error: int
    written_gradient: int
    outer_steps_gradient: int
    inner_steps_gradient: int
    outer_lines_gradient: int
    inner_lines_gradient: int
    query_outer_gradient: int
    query_inner_gradient: int
    gradient_lines: int
    gradient_steps: int
    score_gradient: int
    flow: int
    across: int
    square_gradient: int
    gate_lines: int
    gate_sums: int
    memory_sum: int


@lru_cache(maxsize=256)
def packed_backward_plan(
    plan: Plan, wants_memory: bool, wants_gate: bool, has_final: bool, received: tuple[int, int]
) -> Packed[BackwardPlan]:
    """Return the layout of a backward's scratch as kernels read it."""
    time, width = plan.time_pad, plan.width
    feature = max(plan.value_pad, plan.chain_pad)
    places, stride = offsets(
        {
            "error": time * plan.value_pad,
            "written_gradient": time * plan.value_pad,
            "outer_steps_gradient": time * plan.outer_pad,
            "inner_steps_gradient": time * plan.inner_pad,
            "outer_lines_gradient": plan.outer_pad * time,
            "inner_lines_gradient": plan.inner_pad * time,
            "query_outer_gradient": plan.outer_pad * width,
            "query_inner_gradient": plan.inner_pad * width,
            "gradient_lines": feature * width,
            "gradient_steps": width * feature,
            "score_gradient": time * width,
            "flow": time,
            "across": time,
            "square_gradient": time,
            "gate_lines": time * plan.unit if wants_gate else 0,
            "gate_sums": time,
            "memory_sum": plan.state,
        },
        plan.stride,
    )
    layout = BackwardPlan(
        wants_memory=wants_memory,
        wants_gate=wants_gate,
        has_final=has_final,
        received_row=received[0],
        received_step=received[1],
        stride=stride,
        **places,
    )
    return pack(layout)
