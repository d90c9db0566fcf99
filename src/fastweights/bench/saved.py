"""What autograd keeps alive between a forward and its backward."""

from __future__ import annotations

from torch import Tensor
from torch.autograd.graph import Node


def saved_bytes(output: Tensor, inputs: tuple[Tensor, ...] = ()) -> int:
    """Count the bytes of all storages that the graph behind an output holds, each once.

    Args:
        output: with a gradient function.
        inputs: tensors that exist anyway and do not count, such as the arguments of what is measured.

    Example:
        >>> import torch
        >>> x = torch.ones(10, requires_grad=True)
        >>> saved_bytes(x.exp().sum(), (x,))
        40
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    found: dict[int, int] = {}
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if not hasattr(node, "variable"):  # the leaves are there anyway
            for tensor in _held(node):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in known:
                    found[storage.data_ptr()] = storage.nbytes()
        waiting += [following for following, _ in node.next_functions]
    return sum(found.values())


def _held(node: Node) -> list[Tensor]:
    """Tensors saved by a node: in PyTorch's own fields, by `save_for_backward`, as attributes of a Python context."""
    fields = [getattr(node, name) for name in dir(node) if name.startswith("_saved_")]
    own = [*getattr(node, "saved_tensors", ()), *getattr(node, "__dict__", {}).values()]
    tensors = []
    for value in [*fields, *own]:
        parts = value if isinstance(value, (tuple, list)) else (value,)
        tensors += [part for part in parts if isinstance(part, Tensor)]
    return tensors
