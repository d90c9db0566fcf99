"""Backbones by name, so that a command, a recipe or a run's record can build any of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, overload

import torch

from fastweights.errors import UserError, check_choice, unknown
from fastweights.nn.backbone import Backbone
from fastweights.nn.parts.construction import Device, Placement, placed

Builder = Callable[..., Backbone]
B = TypeVar("B", bound=Builder)


class Entry(NamedTuple):
    """A registered backbone: its names, what builds it, a summary, and defaults other than its class's."""

    name: str
    builder: Builder
    aliases: tuple[str, ...]
    summary: str
    defaults: Mapping[str, Any]


_entries: dict[str, Entry] = {}
_names: dict[str, str] = {}


def register(
    name: str,
    *,
    aliases: tuple[str, ...] = (),
    summary: str,
    defaults: Mapping[str, Any] | None = None,
) -> Callable[[B], B]:
    """Register a backbone class, or a function that builds one, under a name.

    It is called with the input and the hidden size; its other parameters are the model's options.

    Args:
        name: the name `build` knows it by, in any case, and what a run records.
        aliases: other names for it.
        summary: one line for lists.
        defaults: options of it that have another default under this name.

    Raises:
        UserError: if the name or an alias is taken.

    Example:
        >>> from fastweights.nn import ElmanRNN
        >>> @register("tiny", summary="an example")
        ... def tiny(input_size, hidden_size):
        ...     return ElmanRNN(input_size, hidden_size)
        >>> type(build("Tiny", 3, 4)).__name__
        'ElmanRNN'
        >>> unregister("tiny")
    """
    taken = [each for each in (name, *aliases) if each.lower() in _names]
    if taken:
        raise UserError(f"the model name {taken[0]!r} is taken by {_names[taken[0].lower()]!r}")

    def enter(builder: B) -> B:
        _entries[name] = Entry(name, builder, aliases, summary, dict(defaults or {}))
        _names.update({each.lower(): name for each in (name, *aliases)})
        return builder

    return enter


def unregister(name: str) -> None:
    """Forget a registered backbone and its aliases."""
    entry = describe(name)
    del _entries[entry.name]
    for each in (entry.name, *entry.aliases):
        del _names[each.lower()]


def names() -> tuple[str, ...]:
    """Return the names of the backbones, without aliases, in the order of their registration."""
    return tuple(_entries)


@overload
def describe() -> dict[str, str]: ...
@overload
def describe(name: str) -> Entry: ...
def describe(name: str | None = None) -> dict[str, str] | Entry:
    """Return a backbone's entry by its name or an alias, in any case; without a name, all summaries.

    Raises:
        UserError: for an unknown name; the message has the nearest one and those accepted.

    Example:
        >>> describe("RNN-LN-FW").name
        'fast-weights'
        >>> describe()["irnn"]
        'ReLU RNN that starts as the identity (Le et al. 2015)'
    """
    if name is None:
        return {entry.name: entry.summary for entry in _entries.values()}
    known = _names.get(str(name).lower())
    if known is None:
        raise unknown("model", str(name), _names)
    return _entries[known]


def options(name: str) -> dict[str, Any]:
    """Return the options of a backbone with their defaults, but for where it lies: `device` and `dtype`.

    Example:
        >>> options("irnn")
        {'recurrent_scale': 1.0, 'input_std': 0.001, 'num_layers': 1, 'dropout': 0.0}
    """
    entry = describe(name)
    _, _, *parameters = inspect.signature(entry.builder).parameters.values()
    own = {p.name: p.default for p in parameters if p.name not in Placement.__annotations__}
    return {**own, **entry.defaults}


def build(
    name: str,
    input_size: int,
    hidden_size: int,
    *,
    device: Device = None,
    dtype: torch.dtype | None = None,
    **given: object,
) -> Backbone:
    """Build a backbone by name.

    Args:
        name: a registered name or alias, in any case.
        input_size: features of its input.
        hidden_size: features of its hidden state.
        device: where its parameters lie; None: torch's default.
        dtype: of its parameters; None: torch's default.
        given: its options, as its class documents them.

    Raises:
        UserError: for an unknown name or option, or a value the backbone refuses.

    Example:
        >>> build("fast-weights", 37, 50, inner_steps=2).output_size
        50
    """
    entry = describe(name)
    accepted = options(name)
    for option in given:
        check_choice(f"option of model {entry.name!r}", option, accepted)
    chosen = {**entry.defaults, **given}
    return placed(lambda: entry.builder(input_size, hidden_size, **chosen), device, dtype)
