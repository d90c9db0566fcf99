"""A recorder of steps that needs no device: it writes down what torch does, and does that again.

As with a CUDA graph, a replay runs no Python, reads and writes the memory of the recording, and draws from torch's
generator; what would wait for a device, or copy a number to it, cannot be recorded.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fastweights.errors import UserError

REFUSED = {
    "_local_scalar_dense": "a number is asked for",
    "nonzero": "a result's size is asked for",
    "masked_select": "a result's size is asked for",
    "_unique2": "a result's size is asked for",
    "equal": "a number is asked for",
    "lift_fresh": "a number is made a tensor",
}


class _Writing(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, given=(), named=None):
        name, named = function.overloadpacket.__name__, named or {}
        picks = name in ("index", "index_put", "index_put_") and any(
            part is not None and part.dtype == torch.bool for part in given[1]
        )
        if name in REFUSED or picks:
            raise UserError(f"not to be recorded: {name}: {REFUSED.get(name, 'a mask picks')}")
        found = function(*given, **named)
        returns = function._schema.returns
        views = bool(returns) and all(r.alias_info and not r.alias_info.is_write for r in returns)
        fresh = [] if any(r.alias_info for r in returns) else _tensors(found)
        if not views:
            self.calls.append((function, given, named, fresh))
        return found


class TapeRecorder:
    """Takes the place of `graphs.CudaRecorder`; recorders note what was asked of them."""

    def __init__(self):
        self.runs = self.records = self.replays = 0

    def run(self, work):
        self.runs += 1
        return work()

    def record(self, work):
        self.records += 1
        with _Writing() as tape:
            found = work()
        done = [True]  # writing down has done it once, which a device would not

        def replay():
            self.replays += 1
            if done:
                done.clear()
                return
            with torch.no_grad():
                for function, given, named, fresh in tape.calls:
                    again = function(*given, **named)
                    for place, tensor in zip(fresh, _tensors(again), strict=False):
                        place.copy_(tensor)

        return replay, found


def _tensors(found):
    return [each for each in tree_leaves(found) if isinstance(each, torch.Tensor)]
