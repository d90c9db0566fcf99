"""The Fast Weight Memory of Schlag et al. 2021, in the paper's form and in those of the released code."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import check_choice
from fastweights.nn.backbone import Input, Mask, Steps
from fastweights.nn.memories.memory_layer import Access, MemoryLayer
from fastweights.nn.parts.backend import check_backend
from fastweights.nn.parts.checks import as_mask, check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.projection import project_at
from fastweights.nn.parts.short_convolution import ShortConvolution


class Variant(NamedTuple):
    """Where the paper and the released programs differ.

    Attributes:
        divided: writes are divided by the memory size.
        write_bias: what is added to the write strength's logit.
        bounded: the parts of the query that go through tanh, of n⁰ and e¹ … e^R.
        biases: the layer's three projections have biases.
        residual: the LSTM's output is added to the memory's (`FWMLSTM`).
        forget_bias: what the LSTM's forget gate starts with (`FWMLSTM`).
        single_bias: the LSTM has one bias vector, not two (`FWMLSTM`).
    """

    divided: bool
    write_bias: float
    bounded: tuple[bool, bool]
    biases: bool
    residual: bool
    forget_bias: float
    single_bias: bool


VARIANTS = {
    "paper": Variant(False, 0.0, (True, True), False, True, 0.0, False),
    "catbabi": Variant(True, 1.0, (False, True), True, False, 1.0, True),
    "language_model": Variant(False, 1.0, (True, True), True, True, 0.0, False),
    "meta_rl": Variant(True, 1.0, (False, False), True, True, 0.0, False),
}


class FastWeightMemoryState(NamedTuple):
    """memory [batch, k1, k2, value], or [batch, k1 + k2, value] with concatenated keys; and recent
    [batch, convolution - 1, input], what the short convolution looks back on (nothing, of no steps, where
    there is none)."""

    memory: Float[Tensor, "batch *keys value"]
    recent: Float[Tensor, "batch before input"]


class FastWeightMemory(MemoryLayer[FastWeightMemoryState]):
    """A memory written by the delta rule under keys of two factors, and read by chained queries.

        k1, k2, v = tanh(W_write x)            β = σ(W_β x)           k = k1 ⊗ k2
        F'        = F + β (v − F k) kᵀ         F = F' / max(1, ‖F'‖)
        n⁰, eⁱ    = tanh(W_read x)             nⁱ = LN(F (nⁱ⁻¹ ⊗ eⁱ)),  i = 1 … R
        y         = W_o n^R

    ‖·‖ is the norm of all of a row's F; a step writes before it reads; LN has no gain and no bias.
    This is the variant "paper". The authors' released programs differ from it, and their published
    numbers come from them:

                            paper    catbabi     language_model  meta_rl
        scale on writes     1        1 / d       1               1 / d
        β                   σ(b)     σ(b + 1)    σ(b + 1)        σ(b + 1)
        tanh on queries     all      eⁱ, not n⁰  all             none
        biases              no       yes         yes             yes

    What a step writes and asks comes of x at that step alone: the layer before must carry context, for a value to be
    written under a key that was seen before it. `FWMLSTM` has an LSTM there; in front of a layer without a memory of
    its own, `convolution` puts the last steps together.

    Args:
        input_size: features of x and of y.
        memory_size: d, the features of k1 and of v.
        reads: R ≥ 1.
        variant: "catbabi", "paper", "language_model" or "meta_rl".
        key_size: features of k2; None means memory_size.
        combine: "product" as above; "concat" has k = [k1; k2], the ablation of appendix E.
        write_scale: scale on writes; None means the variant's, 1 or 1 / d.
        clamp: False leaves ‖F‖ unbounded.
        convolution: steps that a `ShortConvolution` in front sees of x, the present one included; None leaves it out.
        backend: of `ops.delta_memory`, which lists them; they differ in speed alone.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: write.weight [rows of k1, k2, v, β; input], read.weight [rows of n⁰, e¹ … e^R;
    input], out.weight [input, d], and their biases but in the variant "paper". W_write and W_read
    start uniform in ±√(6 / (input + d)).

    Raises:
        UserError: for an option outside its range.

    Source: Schlag, Munkhdalai & Schmidhuber, "Learning Associative Inference Using Fast Weight
    Memory", ICLR 2021, eq. 1 to 8.

    Example:
        >>> layer = FastWeightMemory(8, 4)
        >>> y, state = layer(torch.randn(2, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([2, 11, 8]), torch.Size([2, 4, 4, 4]))
        >>> retrieved, state = layer.retrieve(torch.randn(2, 3, 8), state)
        >>> retrieved.shape
        torch.Size([2, 3, 4])
    """

    state_type = FastWeightMemoryState
    copied = ("recent",)
    read_norm = True

    def __init__(
        self,
        input_size: int,
        memory_size: int = 32,
        reads: int = 3,
        *,
        variant: Literal["catbabi", "paper", "language_model", "meta_rl"] = "catbabi",
        key_size: int | None = None,
        combine: Literal["product", "concat"] = "product",
        write_scale: float | None = None,
        clamp: bool = True,
        convolution: int | None = None,
        backend: str = "auto",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        key_size = memory_size if key_size is None else key_size
        check_sizes(input_size=input_size, memory_size=memory_size, reads=reads, key_size=key_size)
        check_choice("variant", variant, VARIANTS)
        check_choice("combine", combine, ("product", "concat"))
        check_backend("delta_memory", backend)
        self.input_size = self.output_size = input_size
        self.memory_size, self.key_sizes, self.reads = memory_size, (memory_size, key_size), reads
        self.variant, self.combine, self.backend = variant, combine, backend
        self.constants = VARIANTS[variant]
        scale = 1 / memory_size if self.constants.divided else 1.0
        if write_scale is not None:
            check_range("write_scale", write_scale, 0)
            scale = float(write_scale)
        self.write_scale = scale
        self.clamp, self.gating = clamp, "norm" if clamp else None
        biases = self.constants.biases
        self.convolution = (
            None if convolution is None else ShortConvolution(input_size, convolution)
        )
        self.write = nn.Linear(input_size, 2 * memory_size + key_size + 1, bias=biases)
        self.read = nn.Linear(input_size, memory_size + reads * key_size, bias=biases)
        self.out = nn.Linear(memory_size, input_size, bias=biases)
        edge = math.sqrt(6 / (input_size + memory_size))
        nn.init.uniform_(self.write.weight, -edge, edge)
        nn.init.uniform_(self.read.weight, -edge, edge)

    def retrieve(
        self,
        x: Float[Tensor, "batch time input"],
        state: FastWeightMemoryState | None = None,
        *,
        mask: Steps = None,
        read_mask: Steps = None,
    ) -> tuple[Float[Tensor, "batch time memory"], FastWeightMemoryState]:
        """Run a sequence and return n^R [batch, time, memory], before `out`, and the state.

        Args and errors as those of `forward`.
        """
        mask, read_mask = as_mask(mask), as_mask(read_mask)
        x = self.check_sequence(x, state, mask, read_mask)
        retrieved, after, _ = self.run_retrieval(x, state, mask, read_mask)
        return self.cast_outputs(retrieved, after)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        keys = self.key_sizes if self.combine == "product" else (sum(self.key_sizes),)
        before = 0 if self.convolution is None else self.convolution.size - 1
        return (*keys, self.memory_size), (before, self.input_size)

    def access(
        self, x: Input, state: FastWeightMemoryState | None, mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        return self.access_at(x, state, mask, None)

    def access_at(
        self, x: Input, state: FastWeightMemoryState | None, mask: Mask, read_mask: Mask
    ) -> tuple[Access, tuple[Tensor, ...]]:
        constants, reads = self.constants, self.reads
        recent = self.initial_state(x.shape[0]).recent if state is None else state.recent
        if self.convolution is not None:
            x, recent = self.convolution(x, recent, mask)
        d, size = self.key_sizes
        *written, b = self.write(x).split([d, size, d, 1], -1)
        k1, k2, v = (torch.tanh(part) for part in written)
        beta = torch.sigmoid(b[..., 0] + constants.write_bias)
        n, e = (
            torch.tanh(part) if bounded else part
            for part, bounded in zip(
                project_at(self.read, x, read_mask).split([d, reads * size], -1),
                constants.bounded,
                strict=True,
            )
        )
        return Access(
            keys=(k1, k2),
            values=v,
            strength=beta * self.write_scale,
            queries=(n, e.unflatten(-1, (reads, size))),
            gate="norm" if self.clamp else None,
        ), (recent,)

    def run(
        self,
        x: Input,
        state: FastWeightMemoryState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time input"], FastWeightMemoryState]:
        if mask is not None:
            return super().run(x, state, mask, read_mask, need_state)
        retrieved, after, _ = self.run_retrieval(x, state, mask, read_mask)
        return project_at(self.out, retrieved, read_mask), after

    def output(
        self, retrieved: Float[Tensor, "batch time memory"], x: Input, access: Access
    ) -> Float[Tensor, "batch time input"]:
        return self.out(retrieved)

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.memory_size}, reads={self.reads}, variant={self.variant}, "
            f"key_size={self.key_sizes[1]}, combine={self.combine}, write_scale={self.write_scale:g}, "
            f"clamp={self.clamp}, {self.backend_line()}"
        )
