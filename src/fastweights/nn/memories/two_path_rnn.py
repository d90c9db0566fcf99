"""A fast-weights RNN whose read is added behind the nonlinearity, for studies of why the flat form does not bind."""

from __future__ import annotations

import math
from typing import Literal, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights.errors import check_choice
from fastweights.nn.backbone import Input, Mask
from fastweights.nn.baselines.unrolled import Unrolled
from fastweights.nn.memories.fast_weight_rnn import NORM_EPS, FastWeightState
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.ops.fast_weight_rnn import NONLINEARITIES


class TwoPathRNN(Unrolled[FastWeightState, FastWeightState]):
    """A slow path through the nonlinearity, and beside it a fast one: what the Hebbian memory A returns, weighed by α.

        h(t) = f(LN[W h(t-1) + C x(t) + b]) + α A(t-1) h(t-1)       α learned
        A(t) = λ A(t-1) + η h(t) h(t)ᵀ                              A(0) = 0,  h(0) = 0

    Nothing bounds h here: a read of strength α η ‖h‖² above 1 grows from step to step, so α starts small.

    Args:
        input_size: features of x.
        hidden_size: H, the features of h.
        paths: "separate" as above; "joint" is `FastWeightRNN` with form "flat", without an α,
            h(t) = f(LN[W h(t-1) + C x(t) + b + A(t-1) h(t-1)]).
        alpha: α starts here; of separate paths.
        read_gradient: the gradient that goes through the read is multiplied by this, ≥ 0: a step of
            learning listens more (above 1) or less to the fast path. Outputs stay as they are.
        decay: λ in [0, 1], what is left of the memory after a step.
        rate: η ≥ 0, the strength of a write.
        nonlinearity: f, "relu" or "tanh".
        layer_norm: normalise over H (gain, bias, ε = 1e-5).
        recurrent_scale: W starts as this times the identity.
        norm_gain: the LN gain starts here.
        input_std: C starts normal with this standard deviation; None: 1 / √input_size, for dense x. One-hot x, of which
            a single feature is not 0, needs about 1.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [H, input] (C), input.bias [H] (b), recurrent.weight [H, H] (W), norm.weight and
    norm.bias [H], alpha.

    Raises:
        UserError: for an option outside its range.

    Example:
        >>> y, state = TwoPathRNN(8, 16)(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16, 16]))
    """

    state_type = FastWeightState

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        paths: Literal["separate", "joint"] = "separate",
        alpha: float = 0.01,
        read_gradient: float = 1.0,
        decay: float = 0.95,
        rate: float = 0.5,
        nonlinearity: Literal["relu", "tanh"] = "tanh",
        layer_norm: bool = True,
        recurrent_scale: float = 0.5,
        norm_gain: float = 1.0,
        input_std: float | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        check_choice("paths", paths, ("separate", "joint"))
        check_choice("nonlinearity", nonlinearity, NONLINEARITIES)
        check_range("alpha", alpha)
        check_range("read_gradient", read_gradient, low=0)
        check_range("decay", decay, 0, 1)
        check_range("rate", rate, low=0)
        check_range("recurrent_scale", recurrent_scale)
        check_range("norm_gain", norm_gain)
        input_std = 1 / math.sqrt(input_size) if input_std is None else input_std
        check_range("input_std", input_std, low=0)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.paths, self.read_gradient = paths, float(read_gradient)
        self.decay, self.rate, self.nonlinearity = float(decay), float(rate), nonlinearity
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.norm = nn.LayerNorm(hidden_size, eps=NORM_EPS) if layer_norm else nn.Identity()
        self.alpha = nn.Parameter(torch.tensor(float(alpha))) if paths == "separate" else None
        nn.init.normal_(self.input.weight, std=input_std)
        nn.init.zeros_(self.input.bias)
        nn.init.eye_(self.recurrent.weight).data.mul_(recurrent_scale)
        if isinstance(self.norm, nn.LayerNorm):
            nn.init.constant_(self.norm.weight, norm_gain)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.hidden_size,), (self.hidden_size, self.hidden_size)

    def run(
        self, x: Input, state: FastWeightState | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], FastWeightState | None]:
        alone = state is None and mask is None and not need_state
        if alone and 0 < x.shape[1] <= self.hidden_size:  # the past is smaller than A
            return self._run_by_the_past(self.drive(x)), None
        return super().run(x, state, mask, read_mask, need_state)

    def _run_by_the_past(
        self, drive: Float[Tensor, "batch time hidden"]
    ) -> Float[Tensor, "batch time hidden"]:
        """Run from nothing without A: A h = Σ η λ^age ⟨h_past, h⟩ h_past, the paper's attention form."""
        h = torch.zeros_like(drive[:, 0])
        read, found = h, []
        for now in drive.unbind(1):
            h = self._hidden(now, h, read)
            found.append(h)
            past = torch.stack(found, 1)
            ages = torch.arange(len(found) - 1, -1, -1, device=drive.device)
            weights = self.rate * self.decay ** ages.to(drive.dtype)
            shares = weights * (past * h[:, None]).sum(2)
            read = (shares[:, :, None] * past).sum(1)
        return torch.stack(found, 1)

    def cell(self, drive: Float[Tensor, "batch hidden"], state: FastWeightState) -> FastWeightState:
        read = torch.bmm(state.memory, state.hidden[:, :, None])[:, :, 0]
        h = self._hidden(drive, state.hidden, read)
        # One pass over A: the memory is most of what a step moves.
        memory = torch.baddbmm(
            state.memory, h[:, :, None], h[:, None, :], beta=self.decay, alpha=self.rate
        )
        return FastWeightState(h, memory)

    def _hidden(
        self,
        drive: Float[Tensor, "batch hidden"],
        before: Float[Tensor, "batch hidden"],
        read: Float[Tensor, "batch hidden"],
    ) -> Float[Tensor, "batch hidden"]:
        f, slow = NONLINEARITIES[self.nonlinearity], self.recurrent(before) + drive
        if self.read_gradient != 1:
            read = read.detach() + self.read_gradient * (read - read.detach())
        if self.alpha is None:
            return f(self.norm(slow + read))
        return f(self.norm(slow)) + self.alpha * read

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, paths={self.paths}, λ={self.decay:g}, η={self.rate:g},"
            f" nonlinearity={self.nonlinearity}, read_gradient={self.read_gradient:g}"
        )
