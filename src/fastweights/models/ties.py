"""Parameters that stand in several places of a model, and stay one wherever it goes and whatever it loads."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class Tie(NamedTuple):
    """A parameter, and the modules and names by which it is found."""

    parameter: nn.Parameter
    places: list[tuple[nn.Module, str]]


def find_ties(model: nn.Module) -> list[Tie]:
    """Return the parameters that stand in several places.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        >>> model[1].weight = model[0].weight
        >>> [name for tie in find_ties(model) for _, name in tie.places]
        ['weight', 'weight']
    """
    found: dict[nn.Parameter, Tie] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            found.setdefault(parameter, Tie(parameter, [])).places.append((module, name))
    return [tie for tie in found.values() if len(tie.places) > 1]


def keep_ties(ties: list[Tie]) -> None:
    """Put one parameter in all places of a tie again, where another was put in some: the last of those.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        >>> model[1].weight = model[0].weight
        >>> ties = find_ties(model)
        >>> model[0].weight = nn.Parameter(model[0].weight.detach().clone())
        >>> keep_ties(ties)
        >>> model[1].weight is model[0].weight
        True
    """
    for parameter, places in ties:
        put = [
            other for module, name in places if (other := getattr(module, name)) is not parameter
        ]
        for module, name in places if put else ():
            setattr(module, name, put[-1])
