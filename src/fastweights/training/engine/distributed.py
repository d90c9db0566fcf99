"""Data-parallel training: the processes that torchrun starts, and all that they send each other.

    torchrun --nproc-per-node 2 -m fastweights train catbabi

Every process has all the weights and an equal share of each batch's rows. A source's loss and metrics are such
that their means over the processes are those of the whole batch, so one average of gradients and readings is all
that a step needs. Decisions are taken together, or by the first process for all; it alone writes, evaluates and
tests, while the others wait.

A process by itself is the first of one: then every function returns what it was given and sends nothing.
"""

from __future__ import annotations

import importlib
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from fastweights.errors import UserError
from fastweights.io import stopping

_PATIENCE = timedelta(days=2)
"""How long a process waits for another: longer than the longest test. One that has died is noticed at once."""

_LEFT = re.compile(r"connection (closed|reset) by peer|broken pipe", re.IGNORECASE)
"""What gloo says where the other end of a message is gone."""

T = TypeVar("T")


@contextmanager
def joined(device: str = "cpu") -> Iterator[None]:
    """Work together with the other processes of this launch, if there are any: over gloo, on GPUs over NCCL as well.

    Processes whose group exists already, or that no launcher started, go on as they are.

    Args:
        device: where each process trains; "cuda" then means the GPU of its place on the machine
            (`LOCAL_RANK`).

    Raises:
        UserError: if there are fewer GPUs than processes, or one GPU is named for all; if another process ends
            while this one waits for it.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        yield
        return
    kind, _, number = device.partition(":")
    cuda = kind == "cuda"
    if cuda and number:
        raise UserError(f"several processes take a GPU each: device must be cuda, not {device}")
    place, here = (int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if cuda and torch.cuda.device_count() < max(here, place + 1):
        raise UserError(
            f"{here} processes take a GPU each: torch finds {torch.cuda.device_count()}"
        )
    # Its functions have the group of the time of their import as a default. Imported within the group, as torch's
    # optimisers do, they would keep it and its threads; one of these still frees a message when the interpreter
    # ends, which is an abort.
    importlib.import_module("torch.distributed.nn.functional")
    with torch.cuda.device(place) if cuda else nullcontext():
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=_PATIENCE)
        try:
            yield
        except RuntimeError as error:
            if not _LEFT.search(str(error)):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold the group too
            if stopping.signalled():  # all were told to stop, and another was the first to
                raise KeyboardInterrupt from None
            raise UserError(
                "another process of this launch has ended, so this one cannot go on: start all again"
            ) from None
        finally:
            dist.destroy_process_group()


def world() -> int:
    """Count the processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0; the first one writes and prints."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(rows: int) -> range:
    """Return this process's rows of a batch.

    Raises:
        UserError: if they cannot be shared out equally.

    Example:
        >>> share(32)
        range(0, 32)
    """
    count, rest = divmod(rows, world())
    if rest:
        raise UserError(f"{world()} processes cannot share {rows} rows equally: change the batch")
    return range(rank() * count, (rank() + 1) * count)


def total(*counts: int) -> tuple[int, ...]:
    """Add each count up over the processes."""
    return tuple(_reduced(counts, dist.ReduceOp.SUM)) if world() > 1 else counts


@torch.no_grad()
def mean(value: Tensor) -> Tensor:
    """Average a tensor over the processes."""
    if world() > 1:
        value = value.clone()
        dist.all_reduce(value)
        value /= world()
    return value


def any_of(*flags: bool) -> tuple[bool, ...]:
    """Return of each flag whether it is up in any process."""
    return tuple(map(bool, _reduced(flags, dist.ReduceOp.MAX))) if world() > 1 else flags


@torch.no_grad()
def average(weights: Sequence[Tensor], readings: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Average the gradients of `weights`, in place, and a step's scalar readings over the processes, in one message.

    A weight has a gradient afterwards if it had one in any process: where its rows left it untouched,
    that was zero.
    """
    if world() == 1:
        return readings
    used = any_of(*(weight.grad is not None for weight in weights))
    for weight, needed in zip(weights, used, strict=True):
        if needed and weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    parts = [weight.grad for weight in weights if weight.grad is not None]
    message = torch.cat([part.flatten() for part in (*parts, *readings.values())])
    dist.all_reduce(message)
    *means, scalars = (message / world()).split([*(part.numel() for part in parts), len(readings)])
    for gradient, mean in zip(parts, means, strict=True):
        gradient.copy_(mean.view_as(gradient))
    return dict(zip(readings, scalars, strict=True))


@torch.no_grad()
def share_weights(model: torch.nn.Module) -> None:
    """Send every process the weights and buffers of the first."""
    if world() > 1:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)


def from_first(action: Callable[[], T]) -> T:
    """Call `action` in the first process while the others wait; all return its value, or raise its `UserError`.

    Args:
        action: its value must be of plain values and tensors of the CPU, or pickle otherwise.
    """
    if world() == 1:
        return action()
    value, refusal = None, None
    if rank() == 0:
        try:
            value = action()
        except UserError as error:
            refusal = error
    message: list[Any] = [value, refusal and str(refusal)]
    dist.broadcast_object_list(message, 0)
    if message[1] is not None:
        raise refusal or UserError(message[1])
    return message[0]


def gather(value: T) -> list[T]:
    """Return every process's value to the first one, in the order of their ranks; to the others nothing.

    Args:
        value: of plain values and tensors of the CPU.
    """
    if world() == 1:
        return [value]
    found: list[Any] | None = [None] * world() if rank() == 0 else None
    dist.gather_object(value, found, 0)
    return found or []


def gather_rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join the batch in the first process from tensors [rows, …] of each; the others keep their own rows."""
    if world() == 1:
        return dict(tensors)
    parts = gather({name: tensor.cpu() for name, tensor in tensors.items()})
    return {
        name: torch.cat([part[name] for part in parts]) if parts else tensor
        for name, tensor in tensors.items()
    }


def own_rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return this process's rows of tensors of the whole batch, which `gather_rows` joined."""

    def own(tensor: Tensor) -> Tensor:
        rows = share(len(tensor))
        return tensor[rows.start : rows.stop]

    return {name: own(tensor) for name, tensor in tensors.items()}


def _reduced(numbers: Sequence[int], operation: dist.ReduceOp.RedOpType) -> list[int]:
    message = torch.tensor([int(number) for number in numbers])
    dist.all_reduce(message, operation)
    return message.tolist()
