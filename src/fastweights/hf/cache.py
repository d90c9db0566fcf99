"""A recurrent state in the form in which `transformers` carries what a model remembers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils import _pytree as pytree
from transformers.cache_utils import Cache, CacheLayerMixin

from fastweights import state as states


class RecurrentCache(Cache):
    """The state of a whole model after some steps: as large after the first as after the millionth.

    `generate` makes, reorders and returns one; a forward that is given one goes on from it and leaves its
    new state in it.

    Args:
        state: as the model's backbone returned it; None: nothing was read yet.
        steps: how many steps it has read, padding included.

    Example:
        >>> import torch
        >>> cache = RecurrentCache((torch.tensor([[1.0], [2.0]]),), steps=7)
        >>> cache.reorder_cache(torch.tensor([1, 1]))
        >>> cache.state[0].tolist(), cache.get_seq_length()
        ([[2.0], [2.0]], 7)
    """

    def __init__(self, state: object = None, steps: int = 0) -> None:
        super().__init__(layers=[_State()])
        if state is not None:
            self.advance(state, steps)

    @property
    def state(self) -> object:
        """The state, a (named) tuple of tensors, batch first; None before the first step."""
        return self._held.state

    @property
    def steps(self) -> int:
        """How many steps it has read, padding included."""
        return self._held.steps

    def __reduce__(self) -> tuple[type[RecurrentCache], tuple[object, int]]:
        """Save the state and the count alone, which `torch.load` takes."""
        return type(self), (self.state, self.steps)

    def advance(self, state: object, steps: int) -> None:
        """Hold the state that the model was in after so many more steps."""
        self._held.hold(state, self.steps + steps)

    def detach(self) -> None:
        """Cut the state off its history, as truncated back-propagation through time does."""
        self._held.hold(states.detach(self.state), self.steps)

    @property
    def _held(self) -> _State:
        (layer,) = self.layers
        assert isinstance(layer, _State)
        return layer


class _State(CacheLayerMixin):
    """The one layer of the cache: what a beam search and its like do to the rows of a state."""

    is_sliding = False
    supports_early_init = False

    def __init__(self) -> None:
        super().__init__()
        self.state: object = None
        self.steps = 0

    def hold(self, state: object, steps: int) -> None:
        self.state, self.steps, self.is_initialized = state, steps, state is not None

    def get_seq_length(self) -> int:
        return self.steps

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        return -1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.steps + query_length, 0

    def reorder_cache(self, beam_idx: Int[Tensor, " chosen"]) -> None:
        self.state = states.select(self.state, beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        self.state = states.select(self.state, indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        self.state = states.map_tensors(
            lambda tensor: tensor.repeat_interleave(repeats, 0), self.state
        )

    def reset(self) -> None:
        self.hold(None, 0)

    def update(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError("a recurrent state has no keys and values")

    lazy_initialization = update

    def crop(self, *args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError("a recurrent state cannot take back what it has read")


def _parts(cache: RecurrentCache) -> tuple[list[object], int]:
    return [cache.state], cache.steps


def _named_parts(cache: RecurrentCache) -> tuple[list[Any], int]:
    return [(pytree.GetAttrKey("state"), cache.state)], cache.steps


def _rebuild(children: Iterable[object], steps: int) -> RecurrentCache:
    (state,) = children
    return RecurrentCache(state, steps)


torch.serialization.add_safe_globals([RecurrentCache])
pytree.register_pytree_node(  # for `torch.export`, whose programs may take and return one
    RecurrentCache,
    _parts,
    _rebuild,
    serialized_type_name="fastweights.hf.RecurrentCache",
    flatten_with_keys_fn=_named_parts,
)
