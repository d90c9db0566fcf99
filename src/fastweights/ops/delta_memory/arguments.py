"""The arguments of the memories: what is accepted, checked in one place."""

from __future__ import annotations

from torch import Tensor

from fastweights.errors import UserError, check_choice
from fastweights.ops import arguments, padding
from fastweights.ops.arguments import check_fits, check_floating, check_mask
from fastweights.ops.delta_memory.combine import key_shape
from fastweights.ops.delta_memory.decay import check_decay, decay_kind
from fastweights.ops.delta_memory.options import Inputs, MomentumState, Options, Tensors

RULES = ("delta", "hebbian")
COMBINES = ("product", "concat")


def check(inputs: Inputs, options: Options, gate: Tensor | str | None) -> None:
    """Raise `UserError` unless the arguments fit each other; looks at shapes and types, and at the form of the mask.

    Args:
        inputs, options: the arguments.
        gate: as given; `inputs` has it if it is a tensor, `options` what it is otherwise.
    """
    keys, values, strength = inputs.keys, inputs.values, inputs.strength
    if not _tensors(keys) or len(keys) not in (1, 2):
        raise UserError(f"keys is {_kind(keys)}; accepted: a tuple of 1 or 2 tensors")
    if values.dim() < 3:
        raise UserError(
            f"values has shape {list(values.shape)}; accepted: [batch, time, value] or more leading dimensions"
        )
    check_floating("values", values)
    *lead, time, size = values.shape
    for number, factor in enumerate(keys):
        check_fits(f"keys[{number}]", factor, (*lead, time, "key"), values, "values")
    check_fits("strength", strength, (*lead, time), values, "values")
    sizes = tuple(factor.shape[-1] for factor in keys)
    if 0 in (size, *sizes):
        raise UserError(f"keys have {list(sizes)} features and values {size}; accepted: 1 or more")
    check_choice("rule", options.rule, RULES)
    check_choice("combine", options.combine, COMBINES)
    if inputs.gate is not None:
        check_decay(inputs.gate, keys, values)
    elif gate is not None and gate != "norm":
        raise UserError(f"gate is {gate!r}; accepted: None, 'norm', or a tensor {[*lead, time]}")
    if inputs.erase is not None:
        _check_erase(inputs.erase, inputs, options)
    if inputs.momentum is not None:
        if options.clamp:
            raise UserError("momentum goes with gate None or a tensor, not with 'norm'")
        check_fits("momentum", inputs.momentum, (*lead, time), values, "values")
    if inputs.queries is not None:
        _queries(inputs.queries, sizes, values)
    if inputs.memory is not None:
        shape = (*lead, *key_shape(sizes, options.combine), size)
        check_fits("memory", inputs.memory, shape, values, "values", carried=True)
        if inputs.velocity is not None:
            check_fits("memory.velocity", inputs.velocity, shape, values, "values", carried=True)
    if not isinstance(options.read_norm, bool):
        raise UserError(f"read_norm is {options.read_norm!r}; accepted: True or False")
    arguments.check_norm_eps(options.norm_eps)
    if options.unit_eps is not None and not options.unit_eps > 0:
        raise UserError(f"unit_eps is {options.unit_eps!r}; accepted: more than 0, or None")
    if len(keys) != 1 and (options.unit_eps is not None or options.query_scale != 1):
        raise UserError("unit_eps and query_scale are for one key factor, not for two")
    arguments.check_chunk(options.chunk)
    shapes = [(*lead, time)] + [(lead[0], time)] * (len(lead) > 1)
    check_mask("mask", inputs.mask, *shapes, like=values)
    check_mask("read_mask", inputs.read_mask, *shapes, like=values)
    if inputs.mask is not None:
        padding.lengths_and_shift(inputs.mask.flatten(0, -2))


def split_state(
    memory: Tensor | MomentumState | None, momentum: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """Return F and S of a state as given, None for zeros.

    Raises:
        UserError: for a state without S where there is momentum, or with it where there is none.
    """
    if isinstance(memory, MomentumState):
        if momentum is None:
            raise UserError(
                "memory is a MomentumState; accepted without momentum: F alone, or None"
            )
        return memory
    if momentum is not None and memory is not None:
        raise UserError("memory is F alone; accepted with momentum: a MomentumState, or None")
    return memory, None


def facts(inputs: Inputs, options: Options) -> dict[str, object]:
    """Return what a backend may not support: sizes and reads, the rule, and the gate's kind (see `decay_kind`)."""
    queries = inputs.queries
    return {
        "key_sizes": tuple(factor.shape[-1] for factor in inputs.keys),
        "value_size": inputs.values.shape[-1],
        "reads": 0 if queries is None else 1 if len(queries) == 1 else queries[1].shape[-2],
        "rule": options.rule,
        "gate": "norm" if options.clamp else decay_kind(inputs.gate, inputs.values),
        "combine": options.combine,
        "erase": inputs.erase is not None,
        "momentum": inputs.momentum is not None,
    }


def raise_if_not_finite(
    results: tuple[Tensor | None, Tensor | MomentumState], inputs: Inputs
) -> None:
    """Raise `UserError` if results are not finite because an argument is not; see the function of all ops."""
    retrieved, after = results
    found = (retrieved, *after) if isinstance(after, MomentumState) else (retrieved, after)
    sequences = {"strength": inputs.strength}
    sequences |= {f"keys[{n}]": factor for n, factor in enumerate(inputs.keys)}
    sequences["values"] = inputs.values
    sequences |= {} if inputs.gate is None else {"gate": inputs.gate}
    sequences |= {} if inputs.erase is None else {"erase": inputs.erase}
    sequences |= {} if inputs.momentum is None else {"momentum": inputs.momentum}
    sequences |= {f"queries[{n}]": part for n, part in enumerate(inputs.queries or ())}
    state = {"memory": inputs.memory, "memory.velocity": inputs.velocity}
    arguments.raise_if_not_finite(found, sequences, state, inputs.mask)


def _check_erase(erase: Tensor, inputs: Inputs, options: Options) -> None:
    if options.rule != "delta":
        raise UserError(f"erase is of rule 'delta': rule {options.rule!r} erases nothing")
    if len(inputs.keys) != 1:
        raise UserError("erase is for one key factor, not for two")
    if options.clamp:
        raise UserError("erase goes with gate None or a tensor, not with 'norm'")
    wanted = (*inputs.values.shape[:-1], inputs.keys[0].shape[-1])
    check_fits("erase", erase, wanted, inputs.values, "values")


def _queries(queries: Tensors, sizes: tuple[int, ...], values: Tensor) -> None:
    *lead, time, size = values.shape
    if not _tensors(queries) or len(queries) != len(sizes):
        wanted = "(q,) for 1 key factor" if len(sizes) == 1 else "(n, e) for 2 key factors"
        raise UserError(f"queries is {_kind(queries)}; accepted: {wanted}, or None")
    check_fits("queries[0]", queries[0], (*lead, time, sizes[0]), values, "values")
    if len(sizes) == 1:
        return
    check_fits("queries[1]", queries[1], (*lead, time, "reads", sizes[1]), values, "values")
    reads = queries[1].shape[-2]
    if reads == 0:
        raise UserError("queries[1] has no reads; accepted: 1 or more")
    if reads > 1 and size != sizes[0]:
        raise UserError(
            f"{reads} reads in a chain ask with what they found: values have {size} features, keys[0] {sizes[0]}; "
            "accepted: equal sizes, or one read"
        )


def _tensors(given: object) -> bool:
    return isinstance(given, tuple) and all(isinstance(each, Tensor) for each in given)


def _kind(given: object) -> str:
    return f"a tuple of {len(given)}" if isinstance(given, tuple) else f"a {type(given).__name__}"
