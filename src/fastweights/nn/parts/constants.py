"""Modules with constants: buffers that are computed wherever the module goes, and neither saved nor loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn


class Constants(nn.Module):
    """A module that fills its constants in after it was moved, made without memory, or given other parameters.

    Example:
        >>> from fastweights.nn import LSTM
        >>> with torch.device("meta"):
        ...     layer = LSTM(8, 16, single_bias=True)
        >>> _ = layer.load_state_dict(LSTM(8, 16, single_bias=True).state_dict(), assign=True)
        >>> layer.rnn.bias_hh_l0.device
        device(type='cpu')
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_post_hook(_follow_parameters)

    @abstractmethod
    def fill(self, device: torch.device | None = None) -> None:
        """Compute the constants anew, in the dtype they are in, on a device (None: the one they are on)."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Constants:
        """Fill constants in wherever the module goes: `to_empty` leaves them unset, and nothing loads them."""
        super()._apply(fn, recurse)
        self.fill()
        return self


def _follow_parameters(module: Constants, keys: object) -> None:
    """Fill constants left on meta in where `load_state_dict(assign=True)` put the parameters."""
    found = next((weight.device for weight in module.parameters() if not weight.is_meta), None)
    if found is not None and any(buffer.is_meta for buffer in module.buffers()):
        module.fill(found)
