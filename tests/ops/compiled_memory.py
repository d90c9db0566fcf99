"""A script: each way to run the memories, compiled as one graph and not, gives the same; prints what it did.

It runs in an interpreter of its own, because the tests' run-time shape checks cannot be traced.
"""

import torch
from memory import call, truth

from fastweights.oracle.delta_memory_gradcheck import Case

WAYS = {
    "reference": {"backend": "reference"},
    "chunked": {"backend": "chunked", "chunk": 3},
    "auto": {"backend": "auto"},
}
MASKS = {
    "whole": {},
    "padded": {
        "mask": torch.tensor([[True] * 3 + [False] * 2, [False] * 2 + [True] * 3]),
        "read_mask": torch.tensor([[True, False] * 2 + [False], [False, True] * 2 + [True]]),
    },
}
CASES = {
    "clamped": Case(reads=2, gate="norm"),
    "gated": Case(keys=1, gate="tensor"),
    "written": Case(reads=0, rule="hebbian", combine="concat"),
}


def compare(case, way, masks, autocast=False):
    arguments = truth(case, (2, 5)).arguments
    arguments = {k: v.float() if autocast else v for k, v in arguments.items()}

    def function(*values):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return call(case, dict(zip(arguments, values, strict=True)), **masks, **way)

    torch.compiler.reset()
    results = []
    for run in (function, torch.compile(function, fullgraph=True, backend="aot_eager")):
        leaves = [value.clone().requires_grad_() for value in arguments.values()]
        found = run(*leaves)
        sum((result.to(leaves[0].dtype) ** 2).sum() for result in found).backward()
        results.append([*found, *(leaf.grad for leaf in leaves)])
    torch.testing.assert_close(*results)


def main():
    torch.set_num_threads(1)
    for way in WAYS:
        for mask in MASKS:
            compare(CASES["clamped"], WAYS[way], MASKS[mask])
            print(way, mask)
        for case in ("gated", "written"):
            compare(CASES[case], WAYS[way], {})
            print(way, case)
    compare(CASES["clamped"], WAYS["auto"], {}, autocast=True)
    print("autocast")


if __name__ == "__main__":
    main()
