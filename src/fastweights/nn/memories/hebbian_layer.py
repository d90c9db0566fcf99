"""The base of the layers whose heads are Hebbian memories: sums of v kᵀ, faded or not."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Unpack

from jaxtyping import Float
from torch import Tensor, nn

from fastweights.nn.backbone import Input, S
from fastweights.nn.memories.memory_layer import MemoryLayer
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.heads import head_size, split_heads


class HebbianState(NamedTuple):
    """memory [batch, heads, key, value]."""

    memory: Float[Tensor, "batch heads key value"]


class HebbianLayer(MemoryLayer[S]):
    """Heads with queries, keys and values from one projection, and a projection of what they retrieve.

    F is kept, read and normalised in float32 or wider, whatever the parameters' type: sums outgrow the
    range of narrow types, and decays near 1 have few bits in them.

    Attributes:
        values_per_key: features of a value for each of a key, where no key_size is asked for.
        biases: whether the two projections have biases.
    """

    rule = "hebbian"
    retrieves_wide = True
    values_per_key: ClassVar[int] = 1
    biases: ClassVar[bool] = False

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int = 1,
        key_size: int | None = None,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        self.value_size = head_size(hidden_size, heads)
        key_size = -(-self.value_size // self.values_per_key) if key_size is None else key_size
        check_sizes(key_size=key_size)
        check_backend("delta_memory", backend)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.heads, self.key_sizes, self.backend = heads, (key_size,), backend
        self.parts = [heads * key_size, heads * key_size, hidden_size]
        self.qkv = nn.Linear(input_size, sum(self.parts), bias=self.biases)
        self.out = nn.Linear(hidden_size, hidden_size, bias=self.biases)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.heads, *self.key_sizes, self.value_size),)

    def split(self, x: Input) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the projection has for q, k and v, by heads."""
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(x).split(self.parts, -1))
        return q, k, v

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, heads={self.heads}, key_size={self.key_sizes[0]}, "
            f"{self.backend_line()}"
        )
