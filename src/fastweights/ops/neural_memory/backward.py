"""The way back through Metalearned Neural Memory, by hand: each write is taken back, so M need not be kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fastweights.ops.neural_memory.options import Learned, State
from fastweights.ops.neural_memory.reference import Saved, rate, write_


class Deltas(NamedTuple):
    """Gradients of a step's sums, each [batch, …]: of the gates, of the interface, of β's, and of the targets."""

    gates: Tensor
    interface: Tensor
    strength: Tensor
    targets: Tensor


def recall_backward(
    M: Float[Tensor, "layers batch size size"],
    D: Float[Tensor, "layers batch size size"],
    keys: Float[Tensor, "batch keys size"],
    found: Float[Tensor, "batch keys outputs"],
    gradient: list[Float[Tensor, "batch keys size"] | None],
) -> Float[Tensor, "batch keys size"]:
    """Return the gradient of the keys, from those of z_1 … z_L; add that of M to D, in place."""
    size = keys.shape[-1]
    *below, _ = (keys, *found.split(size, -1))
    (down,) = gradient[-1:]
    assert down is not None
    for place in reversed(range(len(M))):
        z = below[place]
        D[place].baddbmm_(z.mT, down)
        down = torch.bmm(down, M[place].mT)
        if place:
            own = gradient[place - 1]
            down = (down if own is None else down + own) * (1 - z.square())
    return down


def step_backward(
    learned: Learned,
    M: Float[Tensor, "layers batch size size"],
    D: Float[Tensor, "layers batch size size"],
    saved: Saved,
    cell: Float[Tensor, "batch hidden"],
    dh: Float[Tensor, "batch hidden"],
    dc: Float[Tensor, "batch hidden"],
    dr: Float[Tensor, "batch size"],
    derror: Float[Tensor, " batch"],
) -> tuple[Tensor, Tensor, Tensor, Deltas]:
    """Go one step back: M and D as they were before it; return the gradients of h, c and r there, and the sums'.

    Args:
        learned, saved: as the step had and left them.
        M: the memory after the step.
        D: the gradient of M after the step.
        cell: c before the step.
        dh, dc, dr, derror: the gradients of what the step put out.
    """
    size = M.shape[-1]
    keys, values, queries = saved.interface[:, 1:].chunk(3, 1)
    heads = keys.shape[1]

    again, _ = saved.reads[..., -size:].chunk(2, 1)
    dagain = (2 / (heads * size) * derror)[:, None, None] * (again - values)
    danswers = (dr / heads)[:, None].expand_as(queries)
    asked = torch.cat([keys, queries], 1)
    dlast = torch.cat([dagain, danswers], 1)
    dasked = recall_backward(M, D, asked, saved.reads, [*[None] * (len(M) - 1), dlast])
    dkeys, dqueries = dasked.chunk(2, 1)

    factor = rate(saved.strength, heads, size)
    errors = factor * saved.missing
    ends = [keys, *saved.found.split(size, -1)][: len(M)]
    derrors = torch.cat([torch.bmm(z, d) for z, d in zip(ends, D, strict=True)], -1)
    dtargets = factor * derrors
    dkeys_in, *dbelow = (
        torch.bmm(error, d.mT) for error, d in zip(errors.split(size, -1), D, strict=True)
    )
    dstrength = 2 / (heads * size) * (derrors * saved.missing).sum((1, 2))[:, None]
    write_(M, keys, saved.found, -errors)

    *dmiddle, dvalue = dtargets.split(size, -1)
    dfound = [above - own for above, own in zip(dbelow, dmiddle, strict=True)]
    dkeys = dkeys + dkeys_in + recall_backward(M, D, keys, saved.found, [*dfound, -dvalue])
    dvalues = dtargets @ learned.targets - dagain

    dstrength = dstrength * saved.strength * (1 - saved.strength)
    ds = (dstrength @ learned.strength)[:, None]
    dinterface = torch.cat([ds, dkeys, dvalues, dqueries], 1) * (1 - saved.interface.square())
    dinterface = dinterface.flatten(1)

    dh = torch.addmm(dh, dinterface, learned.interface)
    i, f, g, o = saved.gates.chunk(4, 1)
    squashed = torch.tanh(saved.cell)
    dc = dc + dh * o * (1 - squashed.square())
    sums = (dc * g * i * (1 - i), dc * cell * f * (1 - f), dc * i * (1 - g.square()))
    dgates = torch.cat([*sums, dh * squashed * o * (1 - o)], 1)
    both = dgates @ learned.recurrent
    dh, dr = both.split([dh.shape[1], size], 1)
    return dh, dc * f, dr, Deltas(dgates, dinterface, dstrength, dtargets)


def run(
    learned: Learned,
    state: State,
    mask: Tensor | None,
    hidden: Float[Tensor, "batch time hidden"],
    read: Float[Tensor, "batch time size"],
    M: Float[Tensor, "layers batch size size"],
    saved: Saved,
    gradients: tuple[Tensor, Tensor, Tensor, State],
) -> tuple[Tensor, State, Learned]:
    """Return the gradients of drive, of the state before and of the slow weights.

    Args:
        learned, state, mask: as the forward had them.
        hidden, read: h and r of every step.
        M: the memory after the last step; it is changed.
        saved: what all steps saved, each [time, batch, …].
        gradients: those of hidden, read, error and of the state's tensors at the end.
    """
    dhidden, dread, derror, end = gradients
    D = end.memory.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    dh, dc, dr = end.hidden, end.cell, end.read
    deltas = []
    for t in reversed(range(hidden.shape[1])):
        dh, dr, de = dh + dhidden[:, t], dr + dread[:, t], derror[:, t]
        passed = None
        if mask is not None:
            real = mask[:, t, None]
            passed = [d * ~real for d in (dh, dc, dr)]
            dh, dc, dr, de = dh * real, dc * real, dr * real, de * real[:, 0]
        cell = saved.cell[t - 1] if t else state.cell
        dh, dc, dr, delta = step_backward(
            learned, M, D, Saved(*(part[t] for part in saved)), cell, dh, dc, dr, de
        )
        if passed is not None:
            dh, dc, dr = (d + over for d, over in zip((dh, dc, dr), passed, strict=True))
        deltas.append(delta)
    all_steps = Deltas(*(torch.stack(each[::-1]) for each in zip(*deltas, strict=True)))
    before = State(dh, dc, dr, D.transpose(0, 1))
    return all_steps.gates.transpose(0, 1), before, _slow(state, hidden, read, saved, all_steps)


def _slow(
    state: State,
    hidden: Float[Tensor, "batch time hidden"],
    read: Float[Tensor, "batch time size"],
    saved: Saved,
    deltas: Deltas,
) -> Learned:
    """Return the gradients of the slow weights: one product each, over all steps."""
    before = [
        torch.cat([first[None], each.transpose(0, 1)[:-1]])
        for first, each in ((state.hidden, hidden), (state.read, read))
    ]
    heads = saved.found.shape[2]
    s, values = saved.interface[:, :, 0], saved.interface[:, :, 1 + heads : 1 + 2 * heads]
    recurrent, _ = _outer(deltas.gates, torch.cat(before, -1))
    interface = _outer(deltas.interface, hidden.transpose(0, 1))
    return Learned(
        recurrent, *interface, *_outer(deltas.strength, s), *_outer(deltas.targets, values)
    )


def _outer(
    delta: Float[Tensor, "*steps out"], given: Float[Tensor, "*steps into"]
) -> tuple[Float[Tensor, "out into"], Float[Tensor, " out"]]:
    """Return the gradients of a linear map's weight and bias."""
    delta = delta.flatten(0, -2)
    return delta.t() @ given.flatten(0, -2), delta.sum(0)
