"""Random calls of the ops: they come again, they cover what they say, and what is wrong is found."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import children
import fuzz_ops
import op_calls
import pytest
import torch

SEED = 0
PLAIN = next(n for n in range(100) if op_calls.draw(SEED, n, finite=True).op == "lstm")


@pytest.fixture(autouse=True)
def _as_users_run_it(unchecked):
    """What is wrong reaches the library's own checks."""


def test_a_call_follows_from_its_seed_and_number():
    first, second, other = (op_calls.draw(SEED, n) for n in (3, 3, 4))
    assert first._replace(tensors={}) == second._replace(tensors={})
    assert all(fuzz_ops.same(x, second.tensors[name]) for name, x in first.tensors.items())
    assert first.seed != other.seed


def test_every_op_and_kind_of_argument_is_drawn():
    calls = [op_calls.draw(SEED, n) for n in range(300)]
    tensors = [x for call in calls for x in call.tensors.values()]
    assert {call.op for call in calls} == set(op_calls.DRAWS)
    assert {x.dtype for x in tensors} > {torch.float16, torch.bfloat16, torch.int32, torch.bool}
    assert any(0 in x.stride() and x.numel() for x in tensors) and any(x.is_neg() for x in tensors)
    assert {"mask", "read_mask", "gate", "classes", "cell"} < {n for c in calls for n in c.tensors}


def test_few_cases_are_right():
    for number in range(4):
        calls, wrong = fuzz_ops.case(SEED, number)
        assert calls and wrong == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x * 1.001, "off, the reference"),
        (lambda x: x.double(), "is torch.float64"),
        (lambda x: x / 0, "not finite"),
    ],
)
def test_a_wrong_result_is_a_flag(change, words):
    call = op_calls.as_type(op_calls.draw(SEED, PLAIN, finite=True), torch.float32)
    right = op_calls.run(call, "reference").found["outputs"]
    flaw = fuzz_ops.difference(call, "outputs", change(right), right, right.double())
    assert flaw is not None and words in flaw


def die(number: int) -> children.Found:
    if number == 1:
        os.abort()
    return 1, ()


def test_a_case_that_kills_its_process_is_known():
    found = dict(children.outcomes(die, [1, 2]))
    assert found == {1: (1, ("the process died, exit code -6",)), 2: (1, ())}


def test_a_part_is_a_row(monkeypatch, capsys):
    monkeypatch.setattr(children, "outcomes", lambda case, numbers: [(n, case(n)) for n in numbers])
    monkeypatch.setattr(sys, "argv", ["fuzz_ops", "3", "--part", "2", "--first", "5"])
    assert not children.all_right("", lambda seed, n: (2, ("wrong",) * (n == 6)), print)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "cases from 5: 1 wrong in 4 calls",
        "cases from 7: 0 wrong in 2 calls",
    ]
    assert err == "case 6: wrong\n"
