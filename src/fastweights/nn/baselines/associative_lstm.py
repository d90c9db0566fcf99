"""The Associative LSTM: a holographic, complex-valued memory with redundant copies."""

from __future__ import annotations

import math
from typing import NamedTuple, Unpack

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.nn.backbone import Input, Trace
from fastweights.nn.baselines.unrolled import Unrolled
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.plain import is_plain
from fastweights.ops.types import at_least_float32


class AssociativeLSTMState(NamedTuple):
    """hidden [batch, H] and cell [batch, copies, H]; complex vectors as (real, imaginary) pairs."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Float[Tensor, "batch copies hidden"]


class CellState(NamedTuple):
    """The state as the cell works on it: the same with a complex cell, half as long."""

    hidden: Float[Tensor, "batch hidden"]
    cell: Complex[Tensor, "batch copies units"]


class AssociativeLSTM(Unrolled[AssociativeLSTMState, CellState]):
    """An LSTM whose cell is an associative array of key–value pairs, bound by complex products.

        f, i, o       = σ(…)                          gates, real, one per complex unit
        u, rⁱ, rᵒ     = bound(…)                      value, input key and output key, complex
        c_s(t) = f ⊙ c_s(t-1) + (P_s rⁱ) ⊛ (i ⊙ u)    s = 1 … copies
        h(t)   = o ⊙ bound(1/copies Σ_s (P_s rᵒ) ⊛ c_s(t))

    Each … is an affine function of x(t) and h(t-1); ⊛ is the elementwise complex product, P_s a
    fixed random permutation, and bound(z) = z / max(1, |z|). A value comes back when rᵒ is the
    conjugate of the rⁱ it was stored under; what else is stored is noise, with a different sign in
    every copy, so that its variance falls as 1/copies. Parameters do not grow with the copies.

    Args:
        input_size: features of x.
        hidden_size: H, real numbers in h; even, as two make a complex unit.
        copies: redundant copies of the memory.
        forget_bias: the forget gate's bias at the start.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Raises:
        UserError: for a size that is not positive, or an odd hidden size.

    Source: Danihelka, Wayne, Uria, Kalchbrenner & Graves, "Associative Long Short-Term Memory",
    ICML 2016, sections 3 to 5.

    Example:
        >>> y, state = AssociativeLSTM(8, 16, copies=4)(torch.randn(2, 11, 8))
        >>> y.shape, state.cell.shape
        (torch.Size([2, 11, 16]), torch.Size([2, 4, 16]))
    """

    state_type = AssociativeLSTMState
    permutations: Int[Tensor, "copies units"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        copies: int = 4,
        forget_bias: float = 1.0,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, copies=copies)
        check_range("forget_bias", forget_bias)
        if hidden_size % 2:
            raise UserError(f"hidden_size is {hidden_size}; accepted: an even number")
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.copies, self.units = copies, hidden_size // 2
        self.input = nn.Linear(input_size, 9 * self.units)
        self.recurrent = nn.Linear(hidden_size, 9 * self.units, bias=False)
        permutations = torch.stack([torch.randperm(self.units) for _ in range(copies)])
        self.register_buffer("permutations", permutations)
        edge = 1 / math.sqrt(hidden_size)
        nn.init.uniform_(self.input.weight, -edge, edge)
        nn.init.uniform_(self.recurrent.weight, -edge, edge)
        nn.init.zeros_(self.input.bias)
        nn.init.constant_(self.input.bias[: self.units], forget_bias)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.hidden_size,), (self.copies, self.hidden_size)

    def to_cell_state(self, state: AssociativeLSTMState) -> CellState:
        own = self.reference_parameter.dtype
        return CellState(state.hidden.to(own), as_complex(state.cell))

    def from_cell_state(self, state: CellState) -> AssociativeLSTMState:
        return AssociativeLSTMState(state.hidden, as_real(state.cell))

    def cell(self, drive: Float[Tensor, "batch drive"], state: CellState) -> CellState:
        if is_plain(self.recurrent):
            sums = torch.addmm(drive, state.hidden, self.recurrent.weight.t())
        else:
            sums = drive + self.recurrent(state.hidden)
        sums = sums.to(state.hidden.dtype)
        gates, vectors = sums.split([3 * self.units, 6 * self.units], -1)
        f, i, o = torch.sigmoid(gates).chunk(3, -1)
        wide = vectors.to(at_least_float32(vectors.dtype))
        vectors = bound(torch.complex(*wide.chunk(2, -1)))
        vectors = vectors.unflatten(-1, (3, self.units))
        u, keys = vectors[:, 0], self.permute(vectors[:, 1:])
        c = f[:, None] * state.cell + keys[:, 0] * (i * u)[:, None]
        h = o * bound((keys[:, 1] * c).mean(1))
        return CellState(as_real(h).to(state.hidden.dtype), c)

    def permute(self, key: Complex[Tensor, "*any units"]) -> Complex[Tensor, "*any copies units"]:
        """Return the key as each copy of the memory sees it, P_s r."""
        order = self.permutations.flatten().expand(*key.shape[:-1], -1)
        return key.gather(-1, order).unflatten(-1, self.permutations.shape)

    def run_trace(
        self, x: Input, state: AssociativeLSTMState | None, steps: tuple[int, ...]
    ) -> Trace:
        now = self._start(x, state)
        outputs, cells = [], {}
        for t, drive in enumerate(self.drive(x).unbind(1)):
            now = self.cell(drive, now)
            outputs.append(now.hidden)
            if t in steps:
                cells[t] = as_real(now.cell)
        y = torch.stack(outputs, 1)
        memory = torch.stack([cells[t] for t in steps], 1) if steps else None
        return Trace(y, y, None, memory, steps, self.from_cell_state(now))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, copies={self.copies}"


def bound(z: Complex[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
    """Clamp each modulus to 1 and keep the phase: z / max(1, |z|).

    Example:
        >>> bound(torch.tensor([3 + 4j, 0.5j]))
        tensor([0.6000+0.8000j, 0.0000+0.5000j])
    """
    return z * z.abs().clamp(min=1).reciprocal()  # a complex product is faster than a quotient


def as_complex(pairs: Float[Tensor, "*any hidden"]) -> Complex[Tensor, "*any units"]:
    """Read (real, imaginary) pairs as complex numbers, of which there are none of half types."""
    pairs = pairs.to(at_least_float32(pairs.dtype))
    return torch.complex(pairs[..., ::2], pairs[..., 1::2])


def as_real(z: Complex[Tensor, "*any units"]) -> Float[Tensor, "*any hidden"]:
    """Write complex numbers as (real, imaginary) pairs."""
    return torch.view_as_real(z).flatten(-2)
