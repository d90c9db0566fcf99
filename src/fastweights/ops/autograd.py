"""A recurrence with kernels for both directions, as autograd and torch's compilers see it: once for all ops.

Where something traces the call (`torch.compile`, export, a fake tensor), both directions are registered operators:

    fastweights::NAME_forward(…) -> (*results, saved)        fastweights::NAME_backward(…) -> gradients

Elsewhere a `torch.autograd.Function` calls the same code without the dispatcher, which would take as long as a small
batch takes to run. `saved` is what the backward needs of the forward, in the kernels' own layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

import torch
from torch import Tensor

from fastweights.kernels import dense
from fastweights.kernels.types import Size
from fastweights.ops.tracing import recorded
from fastweights.ops.types import with_fields

F = TypeVar("F", bound=tuple[object, ...])
B = TypeVar("B", bound=tuple[object, ...])
Results = tuple[Tensor, ...]
Gradients = tuple[Tensor | None, ...]

_TENSORS = {Tensor: "Tensor", Tensor | None: "Tensor?"}
_SCHEMA = _TENSORS | {bool: "bool", int: "int", float: "float", Size: "SymInt"}


class Kept(NamedTuple):
    """Tensors that a backward takes of its forward, in the order of the backward's arguments."""

    tensors: tuple[Tensor | None, ...]
    options: tuple[object, ...]


class Fused(Generic[F, B]):
    """A recurrence that is differentiable once, by a hand-written backward.

    Args:
        name: of the operators.
        arguments: a NamedTuple class, what the forward takes: tensors, then options. The operator's schema is made of
            its annotations.
        backward_arguments: the same for the backward: the gradients of the results, what `keep` returns, and for each
            of `optional` whether its gradient is wanted.
        results: how many results there are; `forward` returns `saved` besides.
        gradients: how many gradients `backward` returns, of as many first arguments.
        optional: names of the arguments whose gradients are not made unless wanted.
        strided: names of the arguments, of forward and backward, that may come with any strides but the last 1.
        forward: runs it. All tensors come contiguous, unless `strided`.
        backward: the gradients in order, None for an argument that is not given or wanted.
        fake_forward, fake_backward: return tensors of the same shapes, whose sizes may be symbolic.
        keep: called with a forward's arguments, results and `saved`.
        alternative: says what has a second derivative.
        clean_forward: `forward` for the operator, where `saved` has padding that must not hold chance bits.
    """

    def __init__(
        self,
        name: str,
        arguments: Callable[..., F],
        backward_arguments: Callable[..., B],
        *,
        results: int,
        gradients: int,
        forward: Callable[[F], Results],
        backward: Callable[[B], Gradients],
        fake_forward: Callable[[F], Results],
        fake_backward: Callable[[B], Gradients],
        keep: Callable[[F, Sequence[Tensor], Tensor], Kept],
        alternative: str,
        optional: tuple[str, ...] = (),
        strided: tuple[str, ...] = (),
        clean_forward: Callable[[F], Results] | None = None,
    ) -> None:
        hints = get_type_hints(arguments)
        self.arguments, self._backward_arguments = arguments, backward_arguments
        self._count = _count_tensors(arguments)
        self._strided = {
            form: tuple(name in strided for name in get_type_hints(form))
            for form in (arguments, backward_arguments)
        }
        self._optional = [list(hints).index(each) for each in optional]
        self.forward, self._backward, self.keep = forward, backward, keep
        self._name, self._alternative = name, alternative
        on_operator = clean_forward or forward
        operator = torch.library.custom_op
        self.forward_operator = operator(
            f"fastweights::{name}_forward",
            lambda *given: on_operator(_contiguous(arguments(*given))),
            mutates_args=(),
            schema=_schema(arguments, results + 1),
        )
        self.forward_operator.register_fake(lambda *given: fake_forward(arguments(*given)))
        self.forward_operator.register_autograd(self._differentiate, setup_context=self._keep)
        self.backward_operator = operator(
            f"fastweights::{name}_backward",
            lambda *given: _without_none(given, self.run_backward(*given)),
            mutates_args=(),
            schema=_schema(backward_arguments, gradients),
        )
        self.backward_operator.register_fake(
            lambda *given: _without_none(given, fake_backward(backward_arguments(*given)))
        )
        self.backward_operator.register_autograd(self._refuse)

    def __call__(self, call: F) -> Results:
        """Return the results, with autograd.

        Raises:
            CompileError: at the first call, if a kernel does not compile on this machine.
            RuntimeError: from autograd, if a second derivative is asked for.
        """
        if recorded():
            return self.forward_operator(*call)[:-1]
        tensors = call[: self._count]
        if wants_gradient(tensors):
            return _Direct.apply(self, call, *tensors)
        return self.forward(self.laid_out(call))[:-1]

    def run_backward(self, *given: Any) -> Gradients:
        """Run the backward without the dispatcher."""
        return self._backward(self.laid_out(self._backward_arguments(*given)))

    def laid_out(self, call: Any) -> Any:
        """Return a call as `forward` or `backward` takes it: contiguous, but for what may be strided."""
        for x in call:
            if isinstance(x, Tensor) and (not x.is_contiguous() or x.is_neg()):
                pairs = zip(call, self._strided[type(call)], strict=True)
                return with_fields(call, [_laid_out(x, strided) for x, strided in pairs])
        return call

    def gradients(
        self, ctx: Any, wants: Sequence[bool], received: Sequence[Tensor | None], run: Callable[..., Gradients]
    ) -> Gradients:  # fmt: skip
        """Return the gradients of as many of a forward's arguments as there are `wants`; `run` is a backward."""
        if not [each for each in received if each is not None]:
            return (None,) * len(wants)
        wishes = [wants[index] for index in self._optional]
        results = run(*received, *ctx.saved_tensors, *ctx.options, *wishes)
        made = tuple([x if wanted else None for x, wanted in zip(results, wants, strict=False)])
        return made + (None,) * (len(wants) - len(made))

    def _keep(self, ctx: Any, inputs: tuple[Any, ...], output: Results) -> None:
        ctx.mark_non_differentiable(output[-1])
        keep(ctx, self.keep(self.arguments(*inputs), output[:-1], output[-1]))

    def _differentiate(self, ctx: Any, *received: Tensor | None) -> Gradients:
        return self.gradients(ctx, ctx.needs_input_grad, received[:-1], self.backward_operator)

    def _refuse(self, ctx: Any, *received: Tensor | None) -> Gradients:
        raise RuntimeError(f"the fused {self._name} has no second derivative; {self._alternative}")


class _Direct(torch.autograd.Function):
    """The operators without the dispatcher."""

    @staticmethod
    def forward(
        ctx: Any, fused: Fused[Any, Any], call: tuple[Any, ...], *tensors: Tensor | None
    ) -> Results:
        call = fused.laid_out(call)
        *results, saved = fused.forward(call)
        keep(ctx, fused.keep(call, results, saved))
        ctx.fused = fused
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *received: Tensor | None) -> Gradients:
        fused = ctx.fused
        # A gradient may be of any class: the operator asks that class what to do.
        plain = not [x for x in received if x is not None and dense.obstacle(x)]
        direct = plain and not torch.is_grad_enabled()
        run = fused.run_backward if direct else fused.backward_operator
        return (None, None, *fused.gradients(ctx, ctx.needs_input_grad[2:], received, run))


def keep(ctx: Any, kept: Kept) -> None:
    """Hand a backward what it takes; a gradient that there is not reaches it as None."""
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*kept.tensors)
    ctx.options = kept.options


def needs_saved(tensors: Iterable[object]) -> bool:
    """Return whether a call with these tensors may be followed by its backward."""
    return recorded() or wants_gradient(tensors)


def wants_gradient(tensors: Iterable[object]) -> bool:
    """Return whether autograd is to know of a call with these tensors; None may stand among them."""
    if torch.is_grad_enabled():
        for x in tensors:
            if isinstance(x, Tensor) and x.requires_grad:
                return True
    return False


def _contiguous(call: F) -> F:
    """Return a call with all its tensors contiguous, with the signs they show: the same one, if they are."""
    for x in call:
        if isinstance(x, Tensor) and (not x.is_contiguous() or x.is_neg()):
            return with_fields(
                call, [x.contiguous().resolve_neg() if isinstance(x, Tensor) else x for x in call]
            )
    return call


def _laid_out(x: Any, strided: bool) -> Any:
    """Return a tensor as kernels read it; where it lies, if `strided` and what belongs to a step lies together."""
    if not isinstance(x, Tensor):
        return x
    together = x.dim() < 4 or x.shape[2] == 1 or x.stride(2) == x.shape[3]
    if strided and together and x.dim() > 2 and x.stride(-1) == 1 and not x.is_neg():
        return x
    return x.contiguous().resolve_neg()


def _without_none(given: Iterable[object], results: Gradients) -> Results:
    """An operator returns tensors only: an empty one stands for None."""
    like = next(x for x in given if isinstance(x, Tensor) and x.is_floating_point())
    return tuple(like.new_empty(0) if x is None else x for x in results)


def _count_tensors(arguments: Callable[..., object]) -> int:
    return sum(hint in _TENSORS for hint in get_type_hints(arguments).values())


def _schema(arguments: Callable[..., object], results: int) -> str:
    hints = get_type_hints(arguments)
    given = ", ".join(f"{_SCHEMA[hint]} {name}" for name, hint in hints.items())
    return f"({given}) -> ({', '.join(['Tensor'] * results)})"
