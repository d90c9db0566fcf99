"""Random calls of the four ops, each made anew from a seed and a number, and how they are run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import torch
from draws import Call, Draw
from torch import Tensor

from fastweights import ops
from fastweights.ops import dispatch
from fastweights.ops.neural_memory import Learned, Outputs, State

RESULTS = {
    "delta_memory": ("retrieved", "memory"),
    "fast_weight_rnn": ("outputs", "hidden", "memory"),
    "lstm": ("outputs", "hidden", "cell"),
    "neural_memory": ("hidden", "read", "error", "memory at steps", *(f"state.{name}" for name in State._fields)),
}  # fmt: skip


class Outcome(NamedTuple):
    """What a call came to: results and gradients by name, or the error it raised."""

    found: dict[str, Tensor]
    error: Exception | None = None


def draw(seed: int, number: int, *, finite: bool = False) -> Call:
    """Return one call."""
    d = Draw(seed, number, finite=finite)
    (op,) = d.random.choices(list(DRAWS), [4, 3, 3, 1])
    options = DRAWS[op](d)
    return d.call(op, options, len(RESULTS[op]))


def backends(op: str) -> tuple[str, ...]:
    """Return the backends of an op that can run here."""
    return tuple(name for name in dispatch.names(op)[1:] if dispatch.unavailable(op, name) is None)


def delta_memory(d: Draw) -> dict[str, object]:
    lead, time = [d.size(20)], d.steps()
    lead += [d.random.choice([1, 2, 3]) for _ in range(d.random.choice([0, 0, 0, 1, 2]))]
    keys, combine = d.random.choice([1, 2, 2]), d.random.choice(["product", "concat"])
    sizes = [d.size(34) for _ in range(keys)]
    reads = d.random.choice([1, 2, 3]) if keys == 2 else 1
    value = sizes[0] if reads > 1 or d.chance(0.3) else d.size(34)
    rows = torch.Size(lead).numel()
    if rows * value * torch.Size(sizes).numel() > 60_000:
        lead = lead[:1] if rows * value * sum(sizes) < 60_000 else [2]
        sizes[1:] = [3] * (keys - 1)
    for n, size in enumerate(sizes):
        d.tensor(f"keys[{n}]", *lead, time, size, scale=0.8 * max(size, 1) ** -0.5)
    d.tensor("values", *lead, time, value)
    d.tensor("strength", *lead, time, scale=0.2, mean=d.random.choice([0.5, 0.9, 0.0]))
    if d.chance(0.8):
        d.tensor("queries[0]", *lead, time, sizes[0])
        if keys == 2:
            d.tensor("queries[1]", *lead, time, reads, sizes[1])
    shape = [sum(sizes)] if combine == "concat" else sizes
    d.perhaps(0.5, "memory", *lead, *shape, value, scale=d.random.choice([0.02, 0.3]))
    gate = d.random.choice([None, "norm", "norm", "tensor"])
    if gate == "tensor":
        features = sizes if keys == 1 and d.chance(0.6) else ()
        d.tensor("gate", *lead, time, *features, scale=0.2, mean=0.8)
    rule = d.random.choice(["delta", "delta", "hebbian"])
    if (keys, rule) == (1, "delta") and gate != "norm":
        d.perhaps(0.4, "erase", *lead, time, *sizes, scale=0.4 * max(sizes[0], 1) ** -0.5)
    names = [name for name in d.tensors if name != "memory"]
    d.mask(lead if d.chance(0.7) else lead[:1], time, names, lead=len(lead))
    if d.chance(0.3):
        asked = torch.rand(*(lead if d.chance(0.7) else lead[:1]), time, generator=d.numbers)
        d.tensors["read_mask"] = asked < d.random.random()
    return {
        "rule": rule,
        **({} if gate == "tensor" else {"gate": gate}),
        "combine": combine,
        "read_norm": d.chance(0.7),
        "norm_eps": d.random.choice([1e-5, 1e-5, 1e-3, 1e-8]),
        "chunk": d.random.choice([None, None, 1, 3, 5, 64]),
    }


def fast_weight_rnn(d: Draw) -> dict[str, object]:
    batch, time, size = d.size(36), d.steps(), d.size(36)
    form = d.random.choice(["inner", "inner", "flat"])
    norm, settled = d.chance(0.7), form == "inner"
    d.tensor("drive", batch, time, size)
    d.tensor("recurrent_weight", size, size, scale=0.5 * max(size, 1) ** -0.5)
    numbers: dict[str, object] = {}
    for name, mean in (("decay", 0.9), ("rate", 0.3 if norm else 0.1 / max(size, 1))):
        if d.chance(0.5):
            d.tensor(name, scale=0.01, mean=mean)
        else:
            numbers[name] = d.random.choice([mean, mean, 1, 0.0, -0.5])
    for name, there in (("norm", norm), ("preliminary_norm", settled and d.chance(0.3))):
        if there:
            d.tensor(f"{name}_weight", size, scale=0.2, mean=1.0)
            d.tensor(f"{name}_bias", size, scale=0.1)
    d.perhaps(0.5, "hidden", batch, size)
    d.perhaps(0.5, "memory", batch, size, size, scale=0.3 * max(size, 1) ** -0.5)
    d.mask([batch], time, ["drive"])
    return numbers | {
        "inner_steps": d.random.choice([1, 1, 2, 3]) if settled else 1,
        "nonlinearity": d.random.choice(["relu", "tanh"]),
        "form": form,
        "norm_eps": d.random.choice([1e-5, 1e-5, 1e-3]),
        "need_state": d.chance(0.8),
        "chunk": d.random.choice([None, None, 1, 3, 5, 64]),
    }


def lstm(d: Draw) -> dict[str, object]:
    batch, time, size = d.size(36), d.steps(), d.size(36)
    looked_up = d.chance(0.4)
    if looked_up:
        count = d.random.choice([1, 2, 7, 30])
        d.tensor("gates", count, 4 * size)
        last = count + 1 if d.chance(0.04) else count
        kind = d.random.choice([torch.int64, torch.int32])
        d.tensors["classes"] = torch.randint(0, last, (batch, time), generator=d.numbers).to(kind)
    else:
        d.tensor("gates", batch, time, 4 * size)
    d.tensor("recurrent_weight", 4 * size, size, scale=max(size, 1) ** -0.5)
    d.perhaps(0.5, "hidden", batch, size)
    d.perhaps(0.5, "cell", batch, size)
    d.mask([batch], time, [] if looked_up else ["gates"])
    if looked_up and "mask" in d.tensors and d.chance(0.5):
        d.tensors["classes"][~d.tensors["mask"]] = d.random.choice([-1, -100, 2**31 - 1])
    return {}


def neural_memory(d: Draw) -> dict[str, object]:
    batch, time, hidden, size = d.size(20), max(d.steps() // 2, 1), d.size(20), d.size(12)
    heads, layers = d.random.choice([1, 2, 3]), d.random.choice([1, 2, 3])
    wide = (1 + 3 * heads) * size
    cube = (layers, size, size)
    learned = [(4 * hidden, hidden + size), (wide, hidden), (wide,), (1, size), (1,)]
    learned += [(layers * size, size), (layers * size,)]
    d.tensor("drive", batch, time, 4 * hidden)
    for name, shape in zip(Learned._fields, learned, strict=True):
        d.tensor(f"learned.{name}", *shape, scale=max(shape[-1], 1) ** -0.5)
    d.tensor("start", *cube, scale=max(size, 1) ** -0.5)
    for name, shape in zip(State._fields, ((hidden,), (hidden,), (size,), cube), strict=True):
        d.tensor(f"state.{name}", batch, *shape, scale=0.3)
    d.mask([batch], time, ["drive"])
    return {
        "memory_steps": tuple(
            sorted({d.random.randrange(time) for _ in range(d.random.choice([0, 0, 2]))})
        )
    }


DRAWS = {
    "delta_memory": delta_memory,
    "fast_weight_rnn": fast_weight_rnn,
    "lstm": lstm,
    "neural_memory": neural_memory,
}


def call_op(
    op: str,
    given: dict[str, Tensor],
    options: dict[str, object],
    neural: Callable[..., Outputs] = ops.neural_memory,
) -> tuple[Tensor | None, ...]:
    """Call an op with tensors by name; every result is None or a tensor. `neural` stands for `ops.neural_memory`."""
    numbered = {name: x for name, x in given.items() if "[" in name or "." in name}
    named = {name: x for name, x in given.items() if name not in numbered} | options

    def group(prefix: str) -> tuple[Tensor, ...]:
        return tuple(x for name, x in numbered.items() if name.startswith(prefix))

    if op == "delta_memory":
        written = group("keys"), named.pop("values"), named.pop("strength")
        return ops.delta_memory(*written, queries=group("queries") or None, **named)
    if op == "fast_weight_rnn":
        return ops.fast_weight_rnn(named.pop("drive"), named.pop("recurrent_weight"), **named)
    if op == "lstm":
        return ops.lstm(named.pop("gates"), named.pop("recurrent_weight"), **named)
    start, learned, state = named.pop("start"), Learned(*group("learned")), State(*group("state"))
    *outputs, end = neural(named.pop("drive"), learned, start, state, **named)
    return (*outputs, *end)


def as_type(call: Call, dtype: torch.dtype) -> Call:
    """Return the call with its numbers in a type, and no autocast."""
    tensors = {k: x.to(dtype) if x.is_floating_point() else x for k, x in call.tensors.items()}
    return call._replace(tensors=tensors, autocast=False)


def weight(kind: str, result: Tensor, seed: int) -> Tensor:
    """Return a result's gradient, of numbers that every type holds."""
    numbers = torch.randn(result.shape, generator=torch.Generator().manual_seed(seed)) * 64
    numbers = numbers.round().clamp(-255, 255) / 64
    if kind == "expanded":
        return numbers.new_ones(()).expand(result.shape).to(result.dtype)
    scale = {"random": 1.0, "zero": 0.0, "huge": 2.0**60 if result.dtype.itemsize > 2 else 2.0**6}
    return (numbers * scale[kind]).to(result.dtype)


def run(
    call: Call, backend: str, function: Callable[..., tuple[Tensor | None, ...]] = call_op
) -> Outcome:
    """Run a call and its backward; plain PyTorch on one thread."""
    torch.set_num_threads(call.threads if dispatch.is_fused(call.op, backend) else 1)
    leaves = {name: call.tensors[name].detach().requires_grad_() for name in call.leaves}
    mixed = torch.autocast("cpu", torch.bfloat16) if call.autocast else contextlib.nullcontext()
    try:
        with mixed:
            results = function(call.op, call.tensors | leaves, call.options | {"backend": backend})
        found, used, weights = {}, [], []
        for n, (name, kind) in enumerate(zip(RESULTS[call.op], call.weights, strict=True)):
            result = results[n]
            if result is not None:
                found[name] = result.detach()
            if result is not None and result.requires_grad and kind != "none":
                used.append(result)
                weights.append(weight(kind, result, call.seed + n))
        if used:
            asked = list(leaves.values())
            gradients = torch.autograd.grad(used, asked, weights, materialize_grads=True)
            found |= {f"∂{name}": x for name, x in zip(leaves, gradients, strict=True)}
    except Exception as error:
        return Outcome({}, error)
    return Outcome(found)
