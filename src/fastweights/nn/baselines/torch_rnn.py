"""The base of the layers built on `torch.nn`'s own recurrent modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from fastweights.nn.backbone import Backbone, Input, Mask, S, StepInput
from fastweights.nn.baselines.unrolled import run_cell
from fastweights.nn.parts.constants import Constants
from fastweights.nn.parts.plain import is_plain, read
from fastweights.ops import padding
from fastweights.ops.tracing import is_open, recorded
from fastweights.ops.types import with_fields

PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class TorchRNN(Constants, Backbone[S]):
    """One layer of `torch.nn.RNN`, `GRU` or `LSTM`, as `rnn`, behind the backbone protocol.

    Attributes:
        fixed: the parameters that constants stand in the place of, and their numbers.
        recurrent_dropout: the probability that an element of W_hh is dropped in training.
    """

    recurrent_dropout: float = 0.0

    def __init__(self, rnn: nn.RNN | nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.rnn = rnn
        self.fixed: dict[str, float] = {}
        self.input_size = rnn.input_size
        self.hidden_size = self.output_size = rnn.hidden_size

    def parameter(self, name: str) -> Tensor:
        """Return a parameter of the module, or what stands in its place, by `torch.nn`'s name for it.

        `torch.func.functional_call`, pruning and weight norm put plain tensors there; `parts.plain.read` of the
        module comes first, for hooks to make them anew.
        """
        return cast("Tensor", getattr(self.rnn, name))

    def recurrent_weight(self) -> Float[Tensor, "gates hidden"]:
        """Return W_hh, in training with dropped elements: draw it once a forward, for all its steps."""
        weight = self.parameter("weight_hh_l0")
        return F.dropout(weight, self.recurrent_dropout, self.training)

    def fix(self, name: str, number: float) -> None:
        """Replace a parameter by a constant, which is neither learned nor saved."""
        shape = torch.empty_like(self.parameter(name).detach())
        delattr(self.rnn, name)
        self.rnn.register_buffer(name, shape, persistent=False)
        self.fixed[name] = number
        self.fill()

    def fill(self, device: torch.device | None = None) -> None:
        for name, number in self.fixed.items():
            # torch.nn also keeps its weights in a list, which a new one is put into and a changed one is not.
            like = self.parameter(name)
            setattr(self.rnn, name, torch.full_like(like, number, device=device or like.device))

    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.hidden_size,),)

    def run(
        self, x: Input, state: S | None, mask: Mask, read_mask: Mask, need_state: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], S]:
        if not self._called() and (
            is_open(x.shape[1]) or (mask is not None and recorded())
        ):  # neither torch.nn's loop nor a packed sequence can be traced
            return self._run_steps(x, state, mask)
        if mask is not None:
            return self._run_padded(x, state, mask)
        return self._call(x, state)

    def run_step(self, x: StepInput, state: S | None) -> tuple[Float[Tensor, "batch hidden"], S]:
        if self._called():
            y, after = self._call(x[:, None], state)
            return y[:, 0], after
        after = self._cell()(x, self._start(x, state))
        return after[0], after

    def _start(self, x: Tensor, state: S | None) -> S:
        """Return the state in the parameters' dtype."""
        before = self.initial_state(x.shape[0]) if state is None else state
        own = self.parameter("weight_ih_l0").dtype
        return with_fields(before, [part.to(own) for part in before])

    def _cell(self) -> Callable[[Tensor, S], S]:
        """Return a function from the input of a step and the state before it to the state after it."""
        read(self, "rnn")
        weight_ih, _, *biases = (self.parameter(name) for name in PARAMETERS)
        weights = (weight_ih, self.recurrent_weight(), *biases)
        rnn, kind = self.rnn, self.state_type
        if isinstance(rnn, nn.LSTM):
            return lambda x, before: kind(*torch.lstm_cell(x, tuple(before), *weights))
        if isinstance(rnn, nn.GRU):
            cell = torch.gru_cell
        else:
            cell = torch.rnn_relu_cell if rnn.nonlinearity == "relu" else torch.rnn_tanh_cell
        return lambda x, before: kind(cell(x, before[0], *weights))

    def _run_steps(
        self, x: Input, state: S | None, mask: Mask
    ) -> tuple[Float[Tensor, "batch time hidden"], S]:
        """Run step by step, where the call is written down to be run again."""
        if mask is not None:
            padding.lengths_and_shift(mask)  # refuses padding between real steps
        return run_cell(self._cell(), self._start(x, state), x, mask)

    def _called(self) -> bool:
        """Return whether the module has to be called, for its weights do not say all that it does."""
        return not is_plain(self.rnn)

    def _run_padded(
        self, x: Input, state: S | None, mask: Bool[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch time hidden"], S]:
        """Run the real steps as a packed sequence; it takes no empty rows, so those get one step."""
        lengths, shift = padding.lengths_and_shift(mask)
        front = padding.to_front(x, shift)
        packed = pack_padded_sequence(front, lengths.clamp(min=1).cpu(), True, enforce_sorted=False)
        before = self.initial_state(x.shape[0]) if state is None else state
        y, after = self._call(packed, before)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        y = padding.to_back(y, shift).masked_fill(~mask[:, :, None], 0)
        real = (lengths > 0)[:, None]
        kept = (new.where(real, old) for new, old in zip(after, before, strict=True))
        return y, self.state_type(*kept)

    def _call(self, x: Tensor | PackedSequence, state: S | None) -> tuple[Any, S]:
        """Call the module, in its own type where autocast asks for one that this processor has no kernel for."""
        narrow = self._type_without_kernel()
        if narrow is None:
            return self._call_torch(x, state)
        own = self.reference_parameter.dtype
        with torch.autocast("cpu", enabled=False):
            y, after = self._call_torch(x.to(own), state)
        return y.to(narrow), after

    def _call_torch(self, x: Tensor | PackedSequence, state: S | None) -> tuple[Any, S]:
        """Call the module, whose states are [1, batch, hidden] and bare if there is but one."""
        own = self.reference_parameter.dtype
        before = None if state is None else [part[None].to(own) for part in state]
        if before is not None:
            before = tuple(before) if len(before) > 1 else before[0]
        if self.training and self.recurrent_dropout:
            weights = {"weight_hh_l0": self.recurrent_weight()}
            y, after = functional_call(self.rnn, weights, (x, before))
        else:
            y, after = cast(Any, self.rnn)(x, before)
        parts = after if isinstance(after, tuple) else (after,)
        return y, self.state_type(*(part[0] for part in parts))

    def _type_without_kernel(self) -> torch.dtype | None:
        """Return autocast's dtype if `torch.nn.LSTM` fails in it: oneDNN has none for it on many processors."""
        cpu = self.reference_parameter.device.type == "cpu"
        if not (cpu and isinstance(self.rnn, nn.LSTM) and torch.is_autocast_enabled("cpu")):
            return None
        if not torch.backends.mkldnn.is_available():
            return None
        narrow, kernels = torch.get_autocast_dtype("cpu"), torch.ops.mkldnn
        kind = "fp16" if narrow == torch.float16 else "bf16"
        return None if getattr(kernels, f"_is_mkldnn_{kind}_supported")() else narrow

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"
