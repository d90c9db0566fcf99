"""A short causal convolution as a layer of its own, to lie under any other."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Unpack

from jaxtyping import Float
from torch import Tensor

from fastweights.nn.backbone import Backbone, Input, Mask
from fastweights.nn.parts.checks import check_sizes
from fastweights.nn.parts.construction import Placement
from fastweights.nn.parts.short_convolution import ShortConvolution


class CausalConvolutionState(NamedTuple):
    """recent [batch, size - 1, input], the inputs that the next steps look back on."""

    recent: Float[Tensor, "batch before input"]


class CausalConvolution(Backbone[CausalConvolutionState]):
    """y(t) = SiLU(Σ_j w_j ⊙ x(t - size + 1 + j)), j = 0 … size - 1, every feature by itself.

    Under a memory it lets a key be of one step and its value of the next, which a layer that reads what it writes at
    one step cannot do by itself.

    Args:
        input_size: features of x, and of y.
        size: steps that are seen, the present one included.
        options: `device` and `dtype`, as every layer takes them (`nn.Placement`).

    Parameters: convolution.weight [input, size], the last column for the step itself.

    Raises:
        UserError: for a size below 1.

    Source: Fu et al., "Hungry Hungry Hippos", ICLR 2023 (the shift before a product); Arora et al., "Zoology", ICLR
    2024, where every model is given one.

    Example:
        >>> import torch
        >>> from fastweights.nn import LinearAttention, Stack
        >>> y, state = Stack([CausalConvolution(8), LinearAttention(8, 16)])(torch.randn(4, 11, 8))
        >>> y.shape, state[0].recent.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 3, 8]))
    """

    state_type = CausalConvolutionState
    copied: ClassVar[tuple[str, ...]] = ("recent",)

    def __init__(self, input_size: int, size: int = 4, **options: Unpack[Placement]) -> None:
        check_sizes(input_size=input_size, size=size)
        super().__init__()
        self.convolution = ShortConvolution(input_size, size)
        self.input_size = self.output_size = input_size

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.convolution.size - 1, self.input_size),)

    def run(
        self,
        x: Input,
        state: CausalConvolutionState | None,
        mask: Mask,
        read_mask: Mask,
        need_state: bool,
    ) -> tuple[Float[Tensor, "batch time output"], CausalConvolutionState]:
        before = self.initial_state(x.shape[0]) if state is None else state
        y, recent = self.convolution(x, before.recent.to(x.dtype), mask)
        if mask is not None:
            y = y.masked_fill(~mask[:, :, None], 0)
        return y, CausalConvolutionState(recent)
