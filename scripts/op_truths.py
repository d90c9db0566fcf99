"""Points at which the ops' true results and gradients are known: from oracles, from `torch.nn.LSTM`, by autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import op_calls
import plain_neural_memory
import torch
from draws import Call
from torch import Tensor

from fastweights.oracle import Array, delta_memory_gradcheck, fast_weight_rnn_gradcheck

Truth = dict[str, Array]
Function = Callable[[str, dict[str, Tensor], dict[str, object]], tuple[Tensor | None, ...]]
Ran = list[tuple[list[Array], Callable[..., Truth]]]


def call_of(op: str, tensors: dict[str, Tensor], options: dict[str, object]) -> Call:
    leaves = tuple(name for name, x in tensors.items() if x.is_floating_point() and name != "start")
    return Call(op, tensors, options, leaves, ("random",) * len(op_calls.RESULTS[op]), False, 1, 0)


def rounded(point: dict[str, Array]) -> dict[str, Array]:
    """Return numbers that every type holds."""
    return {name: torch.tensor(x).bfloat16().double().numpy() for name, x in point.items()}


def by_oracle(call: Call, results: Iterable[Array], backward: Callable[..., Truth]) -> Truth:
    names = op_calls.RESULTS[call.op]
    named = dict(zip(names, results, strict=True))
    weights = [
        op_calls.weight("random", torch.tensor(x), n).numpy() for n, x in enumerate(named.values())
    ]
    return named | {f"∂{name}": x for name, x in backward(*weights).items()}


def delta_memory(rng: np.random.Generator) -> Iterator[tuple[Call, Truth]]:
    for case in delta_memory_gradcheck.CASES:
        sizes = (9, 9) if case.keys == 1 else (9, 5, 9)
        rows = [
            rounded(delta_memory_gradcheck.draw(case, rng, time=7, sizes=sizes)) for _ in range(3)
        ]
        ran = [delta_memory_gradcheck.run(case, row) for row in rows]
        options = {"rule": case.rule, "combine": case.combine, "read_norm": case.norm}
        options |= {"gate": "norm"} if case.gate == "norm" else {}
        tensors = {name: torch.tensor(np.stack([row[name] for row in rows])) for name in rows[0]}
        call = call_of("delta_memory", tensors, options)

        def backward(*weights: Array, ran: Ran = ran, reads: int = case.reads) -> Truth:
            weights = (weights[0] * (reads > 0), weights[1])
            found = [back(*(w[n] for w in weights)) for n, (_, back) in enumerate(ran)]
            return {name: np.stack([row[name] for row in found]) for name in found[0]}

        results = [np.stack(each) for each in zip(*(found for found, _ in ran), strict=True)]
        truth = by_oracle(call, results, backward)
        yield call, truth if case.reads else {k: x for k, x in truth.items() if k != "retrieved"}


def fast_weight_rnn(rng: np.random.Generator) -> Iterator[tuple[Call, Truth]]:
    for case in fast_weight_rnn_gradcheck.CASES:
        point = rounded(fast_weight_rnn_gradcheck.draw(case, rng, batch=3, time=7, hidden=9))
        network, outcome = fast_weight_rnn_gradcheck.run(case, point)
        call = call_of(
            "fast_weight_rnn", {k: torch.tensor(x) for k, x in point.items()}, {**case.options}
        )
        results = (outcome.outputs, outcome.hidden, outcome.memory)
        yield call, by_oracle(call, results, partial(network.backward, outcome))


def lstm(rng: np.random.Generator) -> Iterator[tuple[Call, Truth]]:
    for classes in (None, 5):
        shapes = {
            "gates": (3, 7, 36) if classes is None else (classes, 36),
            "recurrent_weight": (36, 9),
        }
        shapes |= {"hidden": (3, 9), "cell": (3, 9)}
        numbers = rounded({name: rng.standard_normal(shape) for name, shape in shapes.items()})
        tensors = {name: torch.tensor(x) for name, x in numbers.items()}
        if classes:
            tensors["classes"] = torch.tensor(rng.integers(classes, size=(3, 7)))
        yield _by_autograd("lstm", tensors, torch_lstm)


def torch_lstm(op: str, given: dict[str, Tensor], options: dict[str, object]) -> tuple[Tensor, ...]:
    """`torch.nn.LSTM`, whose input weight is the identity."""
    gates, weight = given["gates"], given["recurrent_weight"]
    layer = torch.nn.LSTM(
        len(weight), weight.shape[1], bias=False, batch_first=True, dtype=gates.dtype
    )
    weights = {"weight_ih_l0": torch.eye(len(weight), dtype=gates.dtype), "weight_hh_l0": weight}
    x = gates[given["classes"]] if "classes" in given else gates
    state = given["hidden"][None], given["cell"][None]
    outputs, (h, c) = torch.func.functional_call(layer, weights, (x, state))
    return outputs, h[0], c[0]


def neural_memory(rng: np.random.Generator) -> Iterator[tuple[Call, Truth]]:
    for heads, layers in ((1, 1), (2, 3)):
        wide = (1 + 3 * heads) * 5
        shapes = {"drive": (3, 7, 36), "start": (layers, 5, 5)}
        learned = ((36, 14), (wide, 9), (wide,), (1, 5), (1,), (layers * 5, 5), (layers * 5,))
        state = ((3, 9), (3, 9), (3, 5), (3, layers, 5, 5))
        shapes |= {
            f"learned.{n}": s for n, s in zip(op_calls.Learned._fields, learned, strict=True)
        }
        shapes |= {f"state.{n}": s for n, s in zip(op_calls.State._fields, state, strict=True)}
        numbers = rounded({k: 0.5 * rng.standard_normal(s) for k, s in shapes.items()})
        tensors = {k: torch.tensor(x) for k, x in numbers.items()}
        plain = partial(op_calls.call_op, neural=plain_neural_memory.neural_memory)
        yield _by_autograd("neural_memory", tensors, plain)


def _by_autograd(
    op: str, tensors: dict[str, Tensor], function: Callable[..., tuple[Tensor | None, ...]]
) -> tuple[Call, Truth]:
    call = call_of(op, tensors, {})
    truth = op_calls.run(call, "reference", function)
    return call, {name: x.numpy() for name, x in truth.found.items()}


OPS = {each.__name__: each for each in (delta_memory, fast_weight_rnn, lstm, neural_memory)}
