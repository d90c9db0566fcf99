"""A script: each way to run the recurrence, compiled as one graph and not, gives the same; prints what it did.

It runs in an interpreter of its own, because the tests' run-time shape checks cannot be traced.
"""

import torch
from recurrence import call, truth

from fastweights.oracle.gradcheck import Case

WAYS = {
    "reference": {"backend": "reference"},
    "chunked": {"backend": "chunked", "chunk": 3},
    "auto": {"backend": "auto"},
}
MASKS = {
    "whole": None,
    "padded": torch.tensor([[True] * 3 + [False] * 2, [False] * 2 + [True] * 3]),
}
CASES = {"inner": Case(inner_steps=2), "flat": Case(form="flat", nonlinearity="tanh")}


def compare(case, way, mask, autocast):
    arguments = truth(case, (2, 5, 4)).arguments
    arguments = {k: v.float() if autocast else v for k, v in arguments.items()}

    def function(*values):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return call(case, dict(zip(arguments, values, strict=True)), mask=mask, **way)

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
            compare(CASES["inner"], WAYS[way], MASKS[mask], False)
            print(way, mask)
    compare(CASES["flat"], WAYS["auto"], None, False)
    print("flat")
    compare(CASES["inner"], WAYS["auto"], None, True)
    print("autocast")


if __name__ == "__main__":
    main()
