"""The memory one step at a time, from what was written alone, against the oracle."""

import pytest
import torch
from oracle_points import ALWAYS, NEVER, SOMETIMES, relative, truth

from fastweights.ops.delta_memory.history import History
from fastweights.ops.delta_memory.options import Options
from fastweights.oracle.delta_memory_gradcheck import CASES
from rounding import assert_equal_but_for_rounding

READING = [case for case in CASES if case.reads]
EXACT = 1e-11


def stepped(case, given, time):
    """What is retrieved at every step."""
    history = History(time, Options(case.rule, case.gate == "norm", case.combine, case.norm))
    names = [[f"{kind}[{n}]" for n in range(case.keys)] for kind in ("keys", "queries")]
    return torch.stack(
        [
            history.step(
                tuple(given[name][:, t] for name in names[0]),
                given["values"][:, t],
                given["strength"][:, t],
                tuple(given[name][:, t] for name in names[1]),
                *(
                    given[name][:, t] if name in given else None
                    for name in ("gate", "erase", "momentum")
                ),
            )
            for t in range(given["values"].shape[1])
        ],
        1,
    )


@pytest.mark.parametrize("case", READING, ids=str)
@pytest.mark.parametrize("scale", [ALWAYS, SOMETIMES, NEVER], ids=["always", "sometimes", "never"])
def test_every_form_step_by_step(case, scale):
    point = truth(case, (3, 9), carried=False, scale=scale)
    assert relative(stepped(case, point.arguments, 9), point.results[0]) <= EXACT


def test_room_for_more_steps_changes_nothing():
    case = next(case for case in READING if case.gate == "norm" and case.keys == 2)
    given = truth(case, (2, 4), carried=False).arguments
    assert_equal_but_for_rounding(stepped(case, given, 4), stepped(case, given, 30))
