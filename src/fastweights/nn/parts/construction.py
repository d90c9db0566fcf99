"""What the constructors of all layers take: where the parameters lie, of which dtype, and how many layers there are."""

from __future__ import annotations

import inspect
import warnings
from abc import ABCMeta
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypedDict, TypeVar

import torch
from torch import nn

from fastweights.errors import UserError
from fastweights.nn.parts.checks import check_range, check_sizes

Device = torch.device | str | int | None
M = TypeVar("M", bound=nn.Module)


class Placement(TypedDict, total=False):
    """Options of every layer: where its parameters lie, and their dtype (None: torch's defaults)."""

    device: Device
    dtype: torch.dtype | None


class LayerOptions(Placement, total=False):
    """Options of every layer that is not made of layers itself.

    `num_layers` above 1 returns a `Stack` of so many, each built with the other options; its state is the tuple of
    theirs. `dropout` is the probability, in training, that a feature between two of them is dropped, the same ones at
    all steps of a row.
    """

    num_layers: int
    dropout: float


OPTIONS: dict[str, dict[str, object]] = {
    "Unpack[Placement]": {"device": None, "dtype": None},
    "Unpack[LayerOptions]": {"num_layers": 1, "dropout": 0.0, "device": None, "dtype": None},
}
"""What the annotation of `**options` stands for, with the defaults."""


class Construction(ABCMeta):
    """The type of layers: it builds them by `LayerOptions` or `Placement`, which constructors declare and never get."""

    stack: Callable[..., Any]
    """`nn.Stack`, put here by its own module, which lies above the layers."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """Return the constructor's parameters, with `LayerOptions` or `Placement` written out."""
        shown: list[inspect.Parameter] = []
        _, *declared = inspect.signature(cls.__init__).parameters.values()
        for parameter in declared:
            further = OPTIONS.get(str(parameter.annotation))
            shown += (
                [parameter]
                if further is None
                else [
                    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                    for name, default in further.items()
                ]
            )
        return inspect.Signature(shown)

    def __call__(
        cls, *args: Any, device: Device = None, dtype: torch.dtype | None = None, **options: Any
    ) -> Any:
        count, dropout = 1, 0.0
        if "num_layers" in cls.__signature__.parameters:
            count, dropout = options.pop("num_layers", 1), options.pop("dropout", 0.0)
        check_sizes(num_layers=count)
        check_range("dropout", dropout, 0, 1)
        if dropout and count == 1:
            warnings.warn("dropout is between layers, of which there is one", stacklevel=2)
        return placed(lambda: cls._layers(count, dropout, args, options), device, dtype)

    def _layers(cls, count: int, dropout: float, args: tuple[Any, ...], options: Any) -> Any:
        layers = [cls._layer(args, options)]
        while len(layers) < count:
            size = layers[-1].output_size
            args = (size, *args[1:]) if args else ()
            options = options if args else {**options, "input_size": size}
            layers.append(cls._layer(args, options))
        return layers[0] if count == 1 else Construction.stack(layers, dropout=dropout)

    def _layer(cls, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        layer = super().__call__(*args, **options)
        layer.built_with = (args, options)
        return layer


class Constructed(nn.Module, metaclass=Construction):
    """A layer that knows what it was built with, and so can start anew."""

    built_with: tuple[tuple[Any, ...], dict[str, Any]]

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as when the layer was built.

        Raises:
            UserError: if a tool has put others in their place (a parametrisation, an adapter).

        Example:
            >>> from fastweights.nn import LSTM
            >>> layer = LSTM(2, 3)
            >>> before = layer.rnn.weight_ih_l0.clone()
            >>> layer.reset_parameters()
            >>> torch.equal(layer.rnn.weight_ih_l0, before)
            False
        """
        args, options = self.built_with
        own, fresh = self.state_dict(), type(self)(*args, **options).state_dict()
        if own.keys() != fresh.keys():
            changed = min(own.keys() ^ fresh.keys())
            raise UserError(
                f"{type(self).__name__} was not built with its {changed}; accepted: reset_parameters "
                "before what a tool puts in the place of parameters"
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(fresh[name])


def placed(build: Callable[[], M], device: Device = None, dtype: torch.dtype | None = None) -> M:
    """Return a module that is built on a device, in a dtype (None: torch's defaults).

    Raises:
        UserError: for a dtype that parameters cannot have.

    Example:
        >>> placed(lambda: nn.Linear(2, 3), "meta", torch.float64).weight.dtype
        torch.float64
    """
    if dtype is not None and not dtype.is_floating_point:
        raise UserError(f"dtype is {dtype}; accepted: a floating type, as torch.float64")
    with nullcontext() if device is None else torch.device(device):
        module = build()
    return module if dtype is None else module.to(dtype=dtype)
