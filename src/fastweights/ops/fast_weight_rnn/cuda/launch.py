"""How the kernels are started: what the forward leaves for the backward, and where in one buffer it lies."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fastweights.kernels.layout import offsets, round_up
from fastweights.kernels.triton.launch import ALIGNMENT, blocks, launch, side
from fastweights.kernels.types import Size
from fastweights.ops.fast_weight_rnn.cuda import gradients
from fastweights.ops.fast_weight_rnn.memory import powers

WIDTH = 32
"""Columns of A at the start of a chunk that the backward reads at once."""


class Arguments(NamedTuple):
    """Inputs of a forward.

    Attributes:
        drive … norm_eps: as `fast_weight_rnn` names them; λ and η are tensors.
        save: whether a backward follows.
    """

    drive: Tensor
    recurrent_weight: Tensor
    norm_weight: Tensor | None
    norm_bias: Tensor | None
    preliminary_norm_weight: Tensor | None
    preliminary_norm_bias: Tensor | None
    hidden: Tensor | None
    memory: Tensor | None
    decay: Tensor
    rate: Tensor
    steps: int
    use_tanh: bool
    flat: bool
    norm_eps: float
    save: bool


class BackwardArguments(NamedTuple):
    """Inputs of a backward: the gradient of the outputs, what the forward left, and what is wanted."""

    gradient: Tensor
    saved: Tensor
    recurrent_weight: Tensor
    norm_weight: Tensor | None
    preliminary_norm_weight: Tensor | None
    hidden: Tensor | None
    decay: Tensor
    rate: Tensor
    steps: int
    use_tanh: bool
    flat: bool
    has_memory: bool
    wants_memory: bool
    wants_decay: bool
    wants_rate: bool


def chunk_of(size: Size) -> int:
    """Return the steps between copies of A, whose history the backward holds beside W and G."""
    return 16 if size > 64 else 32


def warps_of(size: int) -> int:
    """Return the warps that share W and A; one needs no barrier."""
    return {16: 1, 32: 1, 64: 4, 128: 8}[side(size)]


def saved_shapes(
    like: Tensor, steps: int, norm: bool, preliminary: bool, has_memory: bool
) -> dict[str, tuple[Size, ...]]:
    """Return the shapes of what a backward takes of its forward.

    Args:
        like: with the shape of the outputs.
        steps: S.
        norm, preliminary, has_memory: what is given.

    Returns:
        states: h_0(t) … h_S(t).
        standard, inverse: (y - mean) / σ of every read, and 1 / σ; first_…: of the preliminary layer normalisation.
        borders: Aᵀ at the start of every chunk, where it is not zero or there are several.
    """
    batch, time, size = like.shape
    chunks = blocks(time, chunk_of(size))
    shapes: dict[str, tuple[Size, ...]] = {"states": (batch, time, steps + 1, size)}
    if norm:
        shapes |= {"standard": (batch, time, steps, size), "inverse": (batch, time, steps)}
    if preliminary:
        shapes |= {"first_standard": (batch, time, size), "first_inverse": (batch, time)}
    if has_memory or chunks > 1:
        shapes["borders"] = (batch, chunks, size, size)
    return shapes


def saved_size(call: Arguments) -> Size:
    """Return the numbers in `saved`."""
    return _places(_shapes_of(call))[1] if call.save else 0


def run_forward(call: Arguments, *, clean: bool = False) -> tuple[Tensor, Tensor]:
    """Return the outputs and `saved`, which the backward takes, with no chance bits between its parts where `clean`."""
    from fastweights.ops.fast_weight_rnn.cuda.forward import forward

    drive, memory = call.drive, call.memory
    batch, time, size = drive.shape
    outputs = torch.empty_like(drive)
    saved = (drive.new_zeros if clean else drive.new_empty)(saved_size(call))
    parts = _parts(saved, _shapes_of(call) if call.save else {})
    launch(
        forward,
        (batch,),
        drive,
        call.recurrent_weight.t().contiguous(),
        *_or(drive, *call[2:7]),
        drive if memory is None else memory.mT.contiguous(),
        call.decay,
        call.rate,
        outputs,
        *(parts.get(name, outputs) for name in _SAVED),
        time,
        **_constants(size, call),
        EPS=call.norm_eps,
        HAS_HIDDEN=call.hidden is not None,
        HAS_MEMORY=memory is not None,
        SAVE=call.save,
        BORDERS="borders" in parts,
    )
    return outputs, saved


def run_backward(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return the gradients of the tensors of `Arguments`, None for what was not given or is not wanted."""
    from fastweights.ops.fast_weight_rnn.cuda.backward import backward

    gradient = call.gradient
    batch, time, size = gradient.shape
    norm, preliminary = call.norm_weight is not None, call.preliminary_norm_weight is not None
    shapes = saved_shapes(gradient, call.steps, norm, preliminary, call.has_memory)
    parts = _parts(call.saved, shapes)
    borders = parts.get("borders")
    if borders is not None and call.has_memory:  # else it is symmetric
        parts["borders"] = borders = borders.mT.contiguous()
    keeps = call.wants_memory or call.wants_decay
    fading = powers(call.decay, max(time, chunk_of(size)) + 1, gradient)
    drive_gradient = torch.empty_like(gradient)
    reads = gradient.new_empty(batch, time, call.steps, size) if keeps else drive_gradient
    firsts = torch.empty_like(gradient) if preliminary else drive_gradient
    sums, rate_sums = gradient.new_empty(batch, 2, size), gradient.new_empty(batch)
    hidden_gradient = gradient.new_empty(batch, size)
    launch(
        backward,
        (batch,),
        gradient,
        call.recurrent_weight,
        *_or(gradient, call.norm_weight, call.preliminary_norm_weight),
        fading,
        call.rate,
        *(parts.get(name, gradient) for name in _SAVED),
        drive_gradient,
        reads,
        firsts,
        sums,
        rate_sums,
        hidden_gradient,
        time,
        **_constants(size, call),
        HAS_MEMORY=call.has_memory,
        BORDERS=borders is not None,
        WANTS_RATE=call.wants_rate,
        KEEP_READS=keeps,
        WIDTH=min(WIDTH, side(size)),
    )
    states = parts["states"]
    return (
        drive_gradient,
        gradients.weight(drive_gradient, states, call.hidden),
        sums[:, 0].sum(0) if norm else None,
        sums[:, 1].sum(0) if norm else None,
        (firsts * parts["first_standard"]).sum((0, 1)) if preliminary else None,
        firsts.sum((0, 1)) if preliminary else None,
        None if call.hidden is None else hidden_gradient,
        gradients.memory(reads, states, fading) if call.wants_memory else None,
        gradients.decay(reads, states, borders, call.has_memory, fading, call.rate, chunk_of(size))
        if call.wants_decay
        else None,
        rate_sums.sum() if call.wants_rate else None,
    )


def empty_gradients(call: BackwardArguments) -> tuple[Tensor | None, ...]:
    """Return tensors of the shapes of the gradients."""
    batch, _, size = call.gradient.shape
    new = call.gradient.new_empty
    norm, preliminary = call.norm_weight is not None, call.preliminary_norm_weight is not None
    return (
        new(call.gradient.shape),
        new(size, size),
        new(size) if norm else None,
        new(size) if norm else None,
        new(size) if preliminary else None,
        new(size) if preliminary else None,
        None if call.hidden is None else new(batch, size),
        new(batch, size, size) if call.wants_memory else None,
        new(()) if call.wants_decay else None,
        new(()) if call.wants_rate else None,
    )


_SAVED = ("states", "standard", "inverse", "first_standard", "first_inverse", "borders")


def _shapes_of(call: Arguments) -> dict[str, tuple[Size, ...]]:
    norm, preliminary = call.norm_weight is not None, call.preliminary_norm_weight is not None
    return saved_shapes(call.drive, call.steps, norm, preliminary, call.memory is not None)


def _places(shapes: dict[str, tuple[Size, ...]]) -> tuple[dict[str, Size], Size]:
    sizes = {name: round_up(math.prod(shape), ALIGNMENT) for name, shape in shapes.items()}
    return offsets(sizes)


def _parts(saved: Tensor, shapes: dict[str, tuple[Size, ...]]) -> dict[str, Tensor]:
    places = _places(shapes)[0]
    return {
        name: saved[places[name] :][: math.prod(shape)].view(shape)
        for name, shape in shapes.items()
    }


def _constants(size: int, call: Arguments | BackwardArguments) -> dict[str, Any]:
    return {
        "warps": warps_of(size),
        "H": size,
        "SIZE": side(size),
        "S": call.steps,
        "CHUNK": chunk_of(size),
        "FLAT": call.flat,
        "TANH": call.use_tanh,
        "NORM": call.norm_weight is not None,
        "FIRST_NORM": call.preliminary_norm_weight is not None,
    }


def _or(other: Tensor, *tensors: Tensor | None) -> list[Tensor]:
    """Return tensors, another in the place of those that there are not: no kernel reads it."""
    return [other if x is None else x for x in tensors]
