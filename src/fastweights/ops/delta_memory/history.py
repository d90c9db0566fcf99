"""The memory one step at a time from zero, in attention form: only what would have written F is kept."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import layer_norm

from fastweights.ops.delta_memory.options import Options, Tensors


class History:
    """The writes so far, which a step reads instead of F: O(t (k1 + k2 + v)), where F costs O(k1 k2 v).

        F(t)ᵀ q = Σ_i≤t decay_i ⟨k_i, q⟩ u_i      u_i what step i wrote, decay_i of the gates and clamps since

    A decay for each feature of the key is kept in the k_i. With momentum decay_i is all that has come to F of write i.

    The norm of F, which the clamp needs, is a recursion in one number for each row (`clamp`). For what needs no
    gradient: the history is written in place.

    Args:
        time: steps, at most.
        options: as `delta_memory` documents them.

    Example:
        >>> history = History(5, Options(clamp=True, read_norm=False))
        >>> k1, k2, v = torch.eye(3).unsqueeze(1)
        >>> history.step((k1, k2), v, torch.ones(1), (k1, k2.unsqueeze(1))).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, time: int, options: Options) -> None:
        self.time, self.done, self.options = time, 0, options
        self.delta, self.concat = options.rule == "delta", options.combine == "concat"
        self.keys: Tensors = ()

    def step(
        self,
        keys: tuple[Float[Tensor, "batch _"], ...],
        values: Float[Tensor, "batch value"],
        strength: Float[Tensor, " batch"],
        queries: Tensors,
        gate: Float[Tensor, "batch ..."] | None = None,
        erase: Float[Tensor, "batch key"] | None = None,
        momentum: Float[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch value"]:
        """Write, then read; the arguments are those of `delta_memory` at this step, with one leading dimension."""
        keys = self._joined(keys)
        if not self.done:
            self._begin(keys, values)
        if gate is not None:
            past = self.decay if gate.dim() == 1 else self.keys[0]
            past[: self.done] *= gate
        beta = strength.unsqueeze(1)
        found = self._find(keys) if self.delta or self.options.clamp else torch.zeros_like(values)
        written = beta * (values - found if self.delta else values)
        if erase is not None:
            written = beta * values - self._find((erase,))
        if momentum is not None:
            self._move(keys, momentum, gate)
        for past, key in zip(self.keys, keys, strict=True):
            past[self.done] = key
        self.written[self.done], self.decay[self.done] = written, 1
        self.done += 1
        if self.options.clamp:
            self._hold(keys, found, written)
        n, *links = queries
        for link in links[0].unbind(1) if links else (None,):
            n = self._find(self._joined((n,) if link is None else (n, link)))
            if self.options.read_norm:
                n = layer_norm(n, n.shape[1:], eps=self.options.norm_eps)
        return n

    def _begin(self, keys: Tensors, values: Tensor) -> None:
        self.keys = tuple(key.new_empty(self.time, *key.shape) for key in keys)
        self.written = values.new_empty(self.time, *values.shape)
        self.decay = values.new_empty(self.time, len(values))
        self.norm = values.new_zeros(len(values))

    def _move(self, keys: Tensors, momentum: Tensor, gate: Tensor | None) -> None:
        """Add to F what S has of earlier writes."""
        if not self.done:
            self.moving = torch.empty_like(self.decay)
            self.raw = torch.empty_like(self.keys[0])
        moving = self.moving[: self.done]
        moving *= momentum
        if gate is not None and gate.dim() == 2:
            self.keys[0][: self.done] += moving.unsqueeze(2) * self.raw[: self.done]
        else:
            self.decay[: self.done] += moving
        self.moving[self.done], self.raw[self.done] = 1, keys[0]

    def _joined(self, factors: Tensors) -> Tensors:
        return (torch.cat(factors, 1),) if self.concat and len(factors) == 2 else factors

    def _find(self, query: Tensors) -> Float[Tensor, "batch value"]:
        """Return Fᵀ q of a query in factors."""
        attention = self.decay[: self.done]
        for past, factor in zip(self.keys, query, strict=True):
            attention = attention * torch.linalg.vecdot(past[: self.done], factor)
        return (attention.unsqueeze(2) * self.written[: self.done]).sum(0)

    def _hold(self, keys: Tensors, found: Tensor, written: Tensor) -> None:
        """Scale F, whose norm a write has changed, down to norm 1; see `clamp`."""
        square = torch.stack([key.square().sum(1) for key in keys]).prod(0).unsqueeze(1)
        norm = self.norm + (written * (2 * found + square * written)).sum(1)
        self.decay[: self.done] *= norm.clamp(min=1).rsqrt()
        self.norm = norm.clamp(max=1)
