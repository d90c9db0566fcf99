"""The fast-weights recurrent network of Ba et al. 2016, used like `torch.nn.LSTM`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fastweights import ops
from fastweights.errors import UserError, check_choice
from fastweights.nn.backbone import Backbone, Input, Mask, StepInput, Trace
from fastweights.nn.parts.backend import check_backend, describe_backend
from fastweights.nn.parts.checks import check_range, check_sizes
from fastweights.nn.parts.construction import LayerOptions
from fastweights.nn.parts.plain import read
from fastweights.nn.parts.projection import project
from fastweights.nn.parts.reference import reference_tensor
from fastweights.ops.fast_weight_rnn import NONLINEARITIES, History, Inputs, Options, step, trace
from fastweights.ops.types import fold, without_autocast

NORM_EPS = 1e-5


class FastWeightState(NamedTuple):
    """hidden [batch, hidden] is h(T); memory [batch, hidden, hidden] is A(T), with h(T) written."""

    hidden: Float[Tensor, "batch hidden"]
    memory: Float[Tensor, "batch hidden hidden"]


class FastWeightRNN(Backbone[FastWeightState]):
    """A recurrent network that attends to its own recent past through a Hebbian memory A.

        h_0(t)   = f(W h(t-1) + C x(t) + b)
        h_s+1(t) = f(LN[W h(t-1) + C x(t) + b + A(t-1) h_s(t)])     s = 0 … S-1,  h(t) = h_S(t)
        A(t)     = λ A(t-1) + η h(t) h(t)ᵀ                          A(0) = 0,     h(0) = 0

    The memory is a state, not a weight: every row of a batch writes its own, from zero.

    Args:
        input_size: features of x.
        hidden_size: H, the features of h.
        inner_steps: S ≥ 1, how often a step reads the memory before it settles.
        decay: λ in [0, 1], what is left of the memory after a step.
        rate: η ≥ 0, the strength of a write.
        nonlinearity: f, "relu" or "tanh".
        layer_norm: normalise over H (gain, bias, ε = 1e-5), one LN for all inner steps. Without it
            the memory's reads grow until f saturates.
        preliminary_norm: give h_0 an LN of its own (the paper has none there).
        form: "inner" as above; "flat" has one nonlinearity a step,
            h(t) = f(LN[W h(t-1) + C x(t) + b + A(t-1) h(t-1)]).
        backend: of `ops.fast_weight_rnn`, which lists them; they differ in speed alone.
        recurrent_scale: W starts as this times the identity.
        norm_gain: the LN gains start here.
        input_std: C starts normal with this standard deviation; None: 1 / √input_size, for dense x. One-hot x, of which
            a single feature is not 0, needs about 1.
        learn_decay: make λ a scalar parameter that starts at `decay`; nothing holds it in [0, 1].
        learn_rate: make η a scalar parameter that starts at `rate`.
        options: `num_layers`, `dropout`, `device` and `dtype`, as every layer takes them (`nn.LayerOptions`).

    Parameters: input.weight [H, input] (C), input.bias [H] (b), recurrent.weight [H, H] (W),
    norm.weight and norm.bias [H]; preliminary_norm.weight and .bias, decay, rate where asked for.

    Raises:
        UserError: for an option outside its range.

    Source: Ba, Hinton, Mnih, Leibo & Ionescu, "Using Fast Weights to Attend to the Recent Past",
    NIPS 2016, eq. 1 and 2.

    Example:
        >>> layer = FastWeightRNN(8, 16)
        >>> y, state = layer(torch.randn(4, 11, 8))
        >>> y.shape, state.memory.shape
        (torch.Size([4, 11, 16]), torch.Size([4, 16, 16]))
        >>> y, state = layer.step(torch.randn(4, 8), state)
        >>> y.shape
        torch.Size([4, 16])
    """

    state_type = FastWeightState
    takes_classes = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        inner_steps: int = 1,
        decay: float = 0.95,
        rate: float = 0.5,
        nonlinearity: Literal["relu", "tanh"] = "relu",
        layer_norm: bool = True,
        preliminary_norm: bool = False,
        form: Literal["inner", "flat"] = "inner",
        backend: str = "auto",
        recurrent_scale: float = 0.05,
        norm_gain: float = 1.0,
        input_std: float | None = None,
        learn_decay: bool = False,
        learn_rate: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, inner_steps=inner_steps)
        check_range("decay", decay, 0, 1)
        check_range("rate", rate, low=0)
        check_range("recurrent_scale", recurrent_scale)
        check_range("norm_gain", norm_gain)
        input_std = 1 / math.sqrt(input_size) if input_std is None else input_std
        check_range("input_std", input_std, low=0)
        check_choice("nonlinearity", nonlinearity, NONLINEARITIES)
        check_choice("form", form, ("inner", "flat"))
        check_backend("fast_weight_rnn", backend)
        if form == "flat" and (inner_steps != 1 or preliminary_norm):
            raise UserError("form='flat' has no inner steps and no preliminary norm")
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.inner_steps = inner_steps
        self.decay = nn.Parameter(torch.tensor(float(decay))) if learn_decay else float(decay)
        self.rate = nn.Parameter(torch.tensor(float(rate))) if learn_rate else float(rate)
        self.nonlinearity, self.form, self.backend = nonlinearity, form, backend
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)
        self.norm = nn.LayerNorm(hidden_size, eps=NORM_EPS) if layer_norm else None
        self.preliminary_norm = (
            nn.LayerNorm(hidden_size, eps=NORM_EPS) if preliminary_norm else None
        )
        nn.init.normal_(self.input.weight, std=input_std)
        nn.init.zeros_(self.input.bias)
        nn.init.eye_(self.recurrent.weight).data.mul_(recurrent_scale)
        for norm in (self.norm, self.preliminary_norm):
            if norm is not None:
                nn.init.constant_(norm.weight, norm_gain)

    @property
    def backend_in_use(self) -> str:
        """Return the name of the backend that runs for the layer's device, dtype and options."""
        return ops.backend.resolve(
            "fast_weight_rnn",
            self.backend,
            self.reference_parameter,
            hidden=self.hidden_size,
            inner_steps=self.inner_steps,
            nonlinearity=self.nonlinearity,
            form=self.form,
        )

    @property
    def reference_parameter(self) -> Tensor:
        weight = getattr(self.recurrent, "weight", None)
        return weight if isinstance(weight, Tensor) else reference_tensor(self)

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.hidden_size,), (self.hidden_size, self.hidden_size)

    def run(
        self, x: Input, state: FastWeightState | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], FastWeightState | None]:
        y, hidden, memory = ops.fast_weight_rnn(
            project(self.input, x),
            mask=mask,
            backend=self.backend,
            **self._arguments(state),
            **self._options(need_state)._asdict(),
        )
        if hidden is None or memory is None:
            return y, None
        return y, FastWeightState(hidden, memory)

    def run_step(
        self, x: StepInput, state: FastWeightState | None
    ) -> tuple[Float[Tensor, "batch hidden"], FastWeightState]:
        before = self.initial_state(x.shape[0]) if state is None else state
        with without_autocast(x.device):
            inputs = self._inputs(self._drive(x)[:, None], before)
            after = FastWeightState(*step(self._wide(inputs), self._options()))
        return after.hidden.to(inputs.drive.dtype), after

    def run_stepper(self, batch: int, time: int) -> Callable[[StepInput], Tensor]:
        if time > self.hidden_size:  # A is the smaller
            return super().run_stepper(batch, time)
        steps = torch.empty(batch, time, self.hidden_size, device="meta")
        history = History(self._wide(self._inputs(steps, None)), self._options())

        def run(x: StepInput) -> Tensor:
            with without_autocast(x.device):
                drive = self._drive(x)
                return history.step(drive.to(self.state_dtype)).to(drive.dtype)

        return run

    def run_trace(self, x: Input, state: FastWeightState | None, steps: tuple[int, ...]) -> Trace:
        before = self.initial_state(x.shape[0]) if state is None else state
        with without_autocast(x.device):
            drive = self._drive(x)
            seen = trace(self._wide(self._inputs(drive, before)), self._options(), steps)
        h, end = seen.outputs.to(drive.dtype), FastWeightState(seen.outputs[:, -1], seen.memory)
        return Trace(h, h, seen.read_weights, seen.steps, steps, end)

    def _drive(self, x: StepInput | Input) -> Float[Tensor, "*any hidden"]:
        """Return C x + b in the parameters' dtype, in which the memory is carried, whatever autocast casts x to."""
        return project(
            self.input, x.to(self.reference_parameter.dtype) if x.is_floating_point() else x
        )

    def _inputs(self, drive: Tensor, state: FastWeightState | None) -> Inputs:
        return Inputs(drive, **self._arguments(state))

    def _wide(self, inputs: Inputs) -> Inputs:
        """Return what the recurrence takes in the type that it is computed in, as `ops.fast_weight_rnn` does."""
        wide = self.state_dtype
        return inputs if inputs.recurrent_weight.dtype == wide else fold(inputs, wide, ())

    def _arguments(self, state: FastWeightState | None) -> dict[str, Any]:
        """Return the parameters of the recurrence, and the state, as `ops.fast_weight_rnn` names them."""
        norm = None if self.norm is None else read(self, "norm")
        preliminary = None if self.preliminary_norm is None else read(self, "preliminary_norm")
        return {
            "recurrent_weight": read(self, "recurrent").weight,
            "decay": self.decay,
            "rate": self.rate,
            "norm_weight": None if norm is None else norm.weight,
            "norm_bias": None if norm is None else norm.bias,
            "preliminary_norm_weight": None if preliminary is None else preliminary.weight,
            "preliminary_norm_bias": None if preliminary is None else preliminary.bias,
            "hidden": None if state is None else state.hidden,
            "memory": None if state is None else state.memory,
        }

    def _options(self, need_state: bool = True) -> Options:
        return Options(
            inner_steps=self.inner_steps,
            nonlinearity=self.nonlinearity,
            form=self.form,
            norm_eps=NORM_EPS,
            need_state=need_state,
        )

    def extra_repr(self) -> str:
        decay, rate = (_shown(value) for value in (self.decay, self.rate))
        return (
            f"{self.input_size}, {self.hidden_size}, inner_steps={self.inner_steps}, "
            f"decay={decay}, rate={rate}, nonlinearity={self.nonlinearity}, form={self.form}, "
            f"{describe_backend(self.backend, lambda: self.backend_in_use)}"
        )


def _shown(value: float | Tensor) -> str:
    """Return a number as it is printed; one on meta has none."""
    if isinstance(value, Tensor) and value.is_meta:
        return "meta"
    return f"{value.item() if isinstance(value, Tensor) else value:g}"
