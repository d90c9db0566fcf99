"""A model is an encoder, a backbone and a head; its configuration rebuilds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from fastweights.errors import UserError
from fastweights.models.encoders import OneHot, encode, is_lookup
from fastweights.models.ties import Tie, find_ties, keep_ties
from fastweights.nn.backbone import Backbone, Steps, Trace
from fastweights.nn.parts.checks import as_mask, check_tensors
from fastweights.nn.parts.embedded import Embedded


class SequenceModel(nn.Module):
    """Tokens (or features) through an encoder, a recurrent backbone and a head.

    Args:
        encoder: maps what comes in, [batch, time, …], to [batch, time, backbone.input_size].
        backbone: any `fastweights.nn.Backbone`.
        head: maps [..., backbone.output_size] to logits.

    Raises:
        UserError: if known sizes of the parts do not fit.

    Example:
        >>> import torch
        >>> from fastweights.models import OneHot
        >>> from fastweights.nn import FastWeightRNN
        >>> model = SequenceModel(OneHot(37), FastWeightRNN(37, 50), nn.Linear(50, 10))
        >>> logits, state = model(torch.zeros(4, 11, dtype=torch.long))
        >>> logits.shape
        torch.Size([4, 11, 10])
    """

    def __init__(self, encoder: nn.Module, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        _check_fit("encoder", _features_out(encoder), "input", backbone.input_size)
        _check_fit("head", _features_in(head), "output", backbone.output_size)
        self.encoder, self.backbone, self.head = encoder, backbone, head
        self.config: dict[str, Any] | None = None
        self._ties: list[Tie] = []
        self.register_load_state_dict_post_hook(_after_loading)

    def forward(
        self,
        x: Shaped[Tensor, ...],
        state: object = None,
        *,
        mask: Steps = None,
        read_mask: Steps = None,
        at: Steps = None,
        places: Int[Tensor, " chosen"] | None = None,
        last_only: bool = False,
        need_state: bool = True,
        apply_head: bool = True,
    ) -> tuple[Float[Tensor, "*steps classes"], Any]:
        """Run a batch of sequences.

        Args:
            x: [batch, time] tokens, or whatever the encoder takes; without a batch dimension the
                state keeps a batch of 1.
            state: as an earlier call returned it; None means zeros.
            mask: [batch, time], True (or 1) = a real step.
            read_mask: [batch, time], True = the memory is read, for backbones with
                `reads_outside`.
            at: [batch, time], True = the logits of this step are wanted. The head is applied
                there only, and a memory with `reads_outside` is read there only. It may be on the
                processor beside input on a device, which is then not waited for.
            places: the same, as numbers of steps counted row by row, on the input's device; some
                may be there twice. Instead of `at`.
            last_only: apply the head to each row's last real step only; a memory with
                `reads_outside` is read there only.
            need_state: False returns None for the state, which some backbones then need not build.
            apply_head: False returns the input of the head, [..., backbone.output_size], for the logits.

        Returns:
            logits [batch, time, classes] ([batch, classes] if `last_only`; [chosen, classes] if
            `at`, row by row) and the state.
        """
        masks = {"mask": mask, "read_mask": read_mask, "at": at, "places": places}
        check_tensors(type(self).__name__, {"input": x}, masks)
        mask, read_mask, at = as_mask(mask), as_mask(read_mask), as_mask(at)
        if at is not None:
            places = _places(at).to(x.device)
        encoded = self._encoded(x)
        if read_mask is None and self.backbone.reads_outside:
            if places is not None:
                read_mask = at.to(x.device) if at is not None else _marked(_shape(encoded), places)
            elif last_only:
                read_mask = _last_steps(_shape(encoded), mask, x.device)
        y, state = self.backbone(
            encoded, state, mask=mask, read_mask=read_mask, need_state=need_state
        )
        if places is not None:
            y = y.flatten(0, -2).index_select(0, places)
        elif last_only:
            y = y[..., -1, :] if mask is None else _last_real(y, mask)
        return self.head(y) if apply_head else y, state

    def _encoded(self, x: Tensor) -> Tensor | Embedded:
        """Encode the input; a plain embedding is left to backbones that do better than look it up."""
        if self.backbone.takes_embedded and is_lookup(self.encoder):
            return Embedded(x, self.encoder.weight)
        return encode(self.encoder, x)

    def step(self, x: Shaped[Tensor, "batch ..."], state: object = None) -> tuple[Tensor, Any]:
        """Run one time step: x [batch, …], what the encoder takes, to logits [batch, classes]."""
        y, state = self.backbone.step(encode(self.encoder, x), state)
        return self.head(y), state

    def stepper(self, batch: int, time: int) -> Callable[[Tensor], Tensor]:
        """Prepare for a sequence whose inputs come one by one, from zero and without gradients (`Backbone.stepper`)."""
        run = self.backbone.stepper(batch, time)
        return lambda x: self.head(run(encode(self.encoder, x)))

    def trace(
        self,
        x: Shaped[Tensor, "batch time ..."],
        state: object = None,
        memory_steps: Sequence[int] | None = None,
    ) -> Trace:
        """Trace the backbone; `output` holds the logits."""
        trace = self.backbone.trace(encode(self.encoder, x), state, memory_steps)
        return trace._replace(output=self.head(trace.output))

    def initial_state(self, batch: int) -> tuple[Any, ...]:
        """Return the backbone's zero state for `batch` rows."""
        return self.backbone.initial_state(batch)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SequenceModel:
        """Keep tied weights one: `to_empty` makes new ones place by place."""
        ties = find_ties(self)
        super()._apply(fn, recurse)
        keep_ties(ties)
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Note which weights are tied, before modules below put others in their place (`assign=True`)."""
        self._ties = find_ties(self)
        super()._load_from_state_dict(*args, **kwargs)


def _after_loading(model: SequenceModel, keys: object) -> None:
    keep_ties(model._ties)
    model._ties = []


def _places(at: Bool[Tensor, "*batch time"]) -> Int[Tensor, " chosen"]:
    """Return where a mask is True, counted row by row."""
    return at.flatten().nonzero().squeeze(1)


def _last_steps(
    shape: torch.Size, mask: Bool[Tensor, "*batch time"] | None, device: torch.device
) -> Bool[Tensor, "*batch time"]:
    """Mark each row's last real step (none if it has none)."""
    if mask is None:
        mask = torch.ones(shape, dtype=torch.bool, device=device)
    return mask & (mask.flip(-1).cumsum(-1).flip(-1) == 1)


def _marked(shape: torch.Size, places: Int[Tensor, " chosen"]) -> Bool[Tensor, "*_ time"]:
    """Mark the steps of these numbers."""
    marked = torch.zeros(shape.numel(), dtype=torch.bool, device=places.device)
    return marked.index_fill(0, places, True).view(shape)


def _shape(encoded: Tensor | Embedded) -> torch.Size:
    """Return the shape of the steps."""
    steps = encoded.classes if isinstance(encoded, Embedded) else encoded
    return steps.shape[:-1] if steps.is_floating_point() else steps.shape


def _last_real(
    y: Float[Tensor, "*batch time output"], mask: Bool[Tensor, "*batch time"]
) -> Float[Tensor, "*batch output"]:
    """Return each row's output at its last real step (0 if it has none)."""
    last = mask.shape[-1] - 1 - mask.flip(-1).int().argmax(-1)
    index = last[..., None, None].expand(*last.shape, 1, y.shape[-1])
    return y.gather(-2, index).squeeze(-2)


def _features_out(encoder: nn.Module) -> int | None:
    """Return an encoder's output size, if it is of a kind that has one."""
    match encoder:
        case OneHot():
            return encoder.classes
        case nn.Embedding():
            return encoder.embedding_dim
        case nn.Linear():
            return encoder.out_features
    return None


def _features_in(head: nn.Module) -> int | None:
    """Return a head's input size, if it is or begins with a linear layer."""
    first = head[0] if isinstance(head, nn.Sequential) and len(head) else head
    return first.in_features if isinstance(first, nn.Linear) else None


def _check_fit(part: str, features: int | None, side: str, size: int) -> None:
    if features not in (None, size):
        raise UserError(f"the {part} has {features} features, the backbone's {side} size is {size}")
