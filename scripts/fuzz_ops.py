"""Call the four ops with random arguments on every backend, and hold values, state and gradients against the reference.

    python scripts/fuzz_ops.py 34000 --seed 0 --json > results/reliability/ops.jsonl
    python scripts/fuzz_ops.py 1 --seed 0 --only 1234                    # that case again, with all that is drawn

A case is one draw of every argument: sizes (also 0, and about a vector's width), types, masks and what stands at padded
steps, leading dimensions, a carried state, gates, classes, views, options, which gradients are asked for and of what,
numbers from 1e-38 to 1e38, infinities and NaN, and now and then what no op takes. The truth is the reference in float64
(the Metalearned Neural Memory, which has no other backend: its equations under autograd).

A flag: an error more than ten times the plain form's own; other exceptions than the reference's, or one that is no
`UserError`; infinities or NaN where the reference has a number, or the reverse; an argument that was changed; a process
that died. The plain form's own error is the largest over the call and eight that round every number, given or found on
the way, to a neighbour: that is known even where the plain form happens to be exact. Exit code 1 if there is a flag.

Some differences are none, and but for the last they are counted beside the flags, by call:

- overflows: the plain form leaves the range of its type on the way; in `delta_memory` that of 1e-18 to 1e18 in float32,
  the product of its gates one of its numbers, in `fast_weight_rnn` up to 4e11.
- level: features of a layer norm are equal but for rounding, which it enlarges to a tenth of what it finds or more.
- ties: a gradient where the norm of F' is 1 but for rounding in the float64 reference, in the rows where it is: the
  clamp has two there.
- parameters: a gradient that is NaN where a parameter is not finite, or is summed over rows one of which the plain form
  itself makes NaN: 0 times it may be left out, or not.
- Gradients that clamps have shrunk are held to the last bit of what they were before: by a memory, of the gradient that
  is given for its end (in a chunk the fused form has ⟨F̄, F⟩ alone, which falls with every clamp and keeps the rounding
  of its start); by a strength, to ten times that of a row's results times their gradients.
"""

from __future__ import annotations

import sys
import warnings

import children
import op_calls
import torch
from judge import Judge, counted
from torch import Tensor


def same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num())


def case(seed: int, number: int) -> children.Found:
    """Run a case on every backend but the one it is held against."""
    warnings.simplefilter("error")
    call = op_calls.draw(seed, number)
    before = {name: x.clone() for name, x in call.tensors.items()}
    judge, wrong = Judge(call), []
    names = [name for name in op_calls.backends(call.op) if name != "reference"] or ["reference"]
    for name in names:
        flaws = judge.flaws(op_calls.run(call, name))
        changed = [each for each, x in before.items() if not same(x, call.tensors[each])]
        flaws += [f"{each} was changed" for each in changed]
        wrong += [f"{call.op} {name}: {flaw}" for flaw in flaws]
    return children.Found(len(names), tuple(wrong), counted(judge.left_out))


def describe(seed: int, number: int, *, finite: bool = False) -> None:
    """Print what is drawn."""
    call = op_calls.draw(seed, number, finite=finite)
    for name, x in call.tensors.items():
        asked = "  ∂" if name in call.leaves else ""
        print(f"  {name}: {x.dtype} {list(x.shape)}, strides {list(x.stride())}{asked}")
    print(
        f"  {call.op} {call.options}, gradients {call.weights}, autocast {call.autocast}, {call.threads} threads"
    )


if __name__ == "__main__":
    sys.exit(
        0
        if children.all_right("Random calls of the ops, against the reference.", case, describe)
        else 1
    )
