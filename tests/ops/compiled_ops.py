"""A script: each way to run an op, compiled as one graph and not, gives the same; prints what it did.

It runs in an interpreter of its own, because the tests' run-time shape checks cannot be traced.
"""

import sys

import torch
from oracle_points import call, truth

from fastweights.oracle import delta_memory_gradcheck, fast_weight_rnn_gradcheck

WAYS = {
    "reference": {"backend": "reference"},
    "chunked": {"backend": "chunked", "chunk": 2},
    "auto": {"backend": "auto"},
}
MASK = torch.tensor([[True, True, False], [False, True, True]])
READ_MASK = torch.tensor([[True, False, False], [False, True, True]])

Memory, Recurrence = delta_memory_gradcheck.Case, fast_weight_rnn_gradcheck.Case
CLAMPED, GATED = Memory(reads=2, gate="norm"), Memory(keys=1, gate="tensor")
CHANNELS = Memory(keys=1, gate="channels", erase=True)
WRITTEN = Memory(reads=0, rule="hebbian", combine="concat")
INNER, FLAT = Recurrence(inner_steps=2), Recurrence(form="flat", nonlinearity="tanh")
MASKED = {"mask": MASK, "read_mask": READ_MASK}
RUNS = {
    "delta_memory": {
        **{f"{way} whole": (CLAMPED, WAYS[way]) for way in WAYS},
        **{f"{way} padded": (CLAMPED, WAYS[way] | MASKED) for way in WAYS},
        "gated": (GATED, WAYS["auto"]),
        "channels": (CHANNELS, WAYS["auto"]),
        "channels chunked": (CHANNELS, WAYS["chunked"]),
        "written": (WRITTEN, WAYS["auto"]),
        "autocast": (CLAMPED, WAYS["auto"]),
    },
    "fast_weight_rnn": {
        **{f"{way} whole": (INNER, WAYS[way]) for way in WAYS},
        **{f"{way} padded": (INNER, WAYS[way] | {"mask": MASK}) for way in WAYS},
        "flat": (FLAT, WAYS["auto"]),
        "autocast": (INNER, WAYS["auto"]),
    },
}


def compare(case, options, autocast):
    arguments = truth(case, (2, 3) if isinstance(case, Memory) else (2, 3, 4)).arguments
    arguments = {k: v.float() if autocast else v for k, v in arguments.items()}

    def function(*values):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return call(case, dict(zip(arguments, values, strict=True)), **options)

    torch.compiler.reset()
    results = []
    for run in (function, torch.compile(function, fullgraph=True, backend="aot_eager")):
        leaves = [value.clone().requires_grad_() for value in arguments.values()]
        found = run(*leaves)
        sum((result.to(leaves[0].dtype) ** 2).sum() for result in found).backward()
        results.append([*found, *(leaf.grad for leaf in leaves)])
    torch.testing.assert_close(*results)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, (case, options) in RUNS[sys.argv[1]].items():
        compare(case, options, name == "autocast")
        print(name)
