"""Random calls of the ops: they come again, they cover what they say, and what is wrong is found."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import children
import fuzz_ops
import op_calls
import pytest
import torch
from draws import Call
from judge import Judge

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
    memories = [call for call in calls if call.op == "delta_memory"]
    gates = [(c.tensors["gate"], c.tensors["strength"]) for c in memories if "gate" in c.tensors]
    assert {gate.dim() - strength.dim() for gate, strength in gates} >= {0, 1}
    assert any("erase" in call.tensors for call in memories)
    assert {x.dtype for x in tensors} > {torch.float16, torch.bfloat16, torch.int32, torch.bool}
    assert any(0 in x.stride() and x.numel() for x in tensors) and any(x.is_neg() for x in tensors)
    assert {"mask", "read_mask", "gate", "classes", "cell"} < {n for c in calls for n in c.tensors}


def test_few_cases_are_right():
    for number in range(4):
        found = fuzz_ops.case(SEED, number)
        assert found.calls and found.wrong == ()


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
    judge = Judge(call)
    right = judge.plain.found["outputs"]
    assert judge.flaws(judge.plain) == []
    flaw = judge.difference("outputs", change(right), right, right.double())
    assert flaw is not None and words in flaw and not judge.left_out


def memory_call(value: float, *, second: float = 0.0, dtype: torch.dtype = torch.float32) -> Call:
    """Return a call of two rows that write a value into the first feature of the norm-clamped memory, then another."""
    k = torch.eye(3)[:1].expand(2, 2, 3).contiguous()
    v = torch.zeros(2, 2, 3)
    v[0, :, 0], v[1] = torch.tensor([value, second]), 0.1
    tensors = {"keys[0]": k, "values": v, "strength": torch.ones(2, 2)}
    options = {"rule": "hebbian", "gate": "norm"}
    call = Call("delta_memory", tensors, options, ("values",), ("none", "random"), False, 1, 0)
    return op_calls.as_type(call, dtype)


def other(judge: Judge, row: int, name: str = "∂values") -> op_calls.Outcome:
    """Return the reference's outcome with one row of a result far off."""
    x = judge.plain.found[name].clone()
    x[row] += 1e6
    return op_calls.Outcome(judge.plain.found | {name: x})


def test_a_gradient_where_the_clamp_begins_is_left_out_for_that_row_alone():
    judge = Judge(
        memory_call(3.0)
    )  # the clamp leaves a norm of 1, and so does the next write, of 0
    assert judge.flaws(other(judge, 0)) == [] and judge.left_out == {"ties"}
    assert judge.flaws(other(judge, 1)) != []
    assert judge.flaws(other(judge, 0, "memory")) != []
    judge = Judge(memory_call(3.0, second=1.0))
    assert judge.flaws(other(judge, 0)) != [] and not judge.left_out


@pytest.mark.parametrize(("value", "judged"), [(1e18, True), (1e20, False)])
def test_what_overflows_in_the_plain_form_is_left_out(value, judged):
    judge = Judge(memory_call(value, second=1.0))  # the square of the norm is 1e36, or 1e40
    assert bool(judge.flaws(other(judge, 1, "memory"))) == judged
    assert judge.left_out == (set() if judged else {"overflows"})


@pytest.mark.parametrize("height", [1.0, 1e9])
def test_a_layer_norm_of_equal_features_is_left_out_where_rounding_made_them_so(height):
    ones, drive = torch.ones(4), torch.tensor([[[0.1, 0.7, -0.2, 0.4]]]) + height
    tensors = {"drive": drive, "recurrent_weight": torch.zeros(4, 4), "norm_weight": ones}
    tensors |= {"norm_bias": ones}
    options = {"decay": 0.9, "rate": 0.1}
    kinds = ("random", "none", "none")
    judge = Judge(Call("fast_weight_rnn", tensors, options, ("norm_bias",), kinds, False, 1, 0))
    assert bool(judge.flaws(other(judge, 0, "∂norm_bias"))) == (height == 1)
    assert judge.left_out == (set() if height == 1 else {"level"})


def test_a_gradient_of_zero_is_held_to_the_size_of_what_it_is_summed_from():
    """LN has no gradient by a sum of its outputs; its terms are as large as 1 / √ε."""
    x = torch.randn(1, 1, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tensors = {"keys[0]": x, "values": x, "strength": torch.ones(1, 1).double(), "queries[0]": x}
    judge = Judge(
        Call("delta_memory", tensors, {}, ("queries[0]",), ("expanded", "none"), False, 1, 0)
    )
    assert judge.truth.found["∂queries[0]"].abs().max() < 1e-14
    for error, right in ((3e-16, True), (1e-13, False)):
        found = {"∂queries[0]": judge.truth.found["∂queries[0]"] + error}
        flaws = judge.flaws(op_calls.Outcome(judge.plain.found | found))
        assert (flaws == []) == right


def test_a_row_that_is_not_finite_hides_nothing_of_another():
    x = torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[1] = float("inf")
    tensors = {"keys[0]": x, "values": x, "strength": torch.ones(2, 1).double(), "queries[0]": x}
    judge = Judge(
        Call("delta_memory", tensors, {}, ("queries[0]",), ("expanded", "none"), False, 1, 0)
    )
    assert any(near.found["∂queries[0]"][0].any() for near in judge.neighbours)


@pytest.mark.parametrize(("gate", "judged"), [(1e2, True), (1e12, False)])
def test_gates_whose_product_overflows_are_left_out(gate, judged):
    call = memory_call(0.0)
    tensors = call.tensors | {"gate": torch.full((2, 2), gate), "values": torch.zeros(2, 2, 3)}
    judge = Judge(call._replace(tensors=tensors, options={}))
    assert bool(judge.flaws(other(judge, 1, "memory"))) == judged
    assert judge.left_out == (set() if judged else {"overflows"})


def test_a_sum_over_rows_of_nan_may_be_nan():
    drive = torch.ones(2, 1, 4)
    drive[1] = float("nan")
    tensors = {"drive": drive, "recurrent_weight": torch.zeros(4, 4), "decay": torch.tensor(0.9)}
    kinds = ("random", "none", "none")
    call = Call("fast_weight_rnn", tensors, {"rate": 0.1}, ("decay", "drive"), kinds, False, 1, 0)
    judge = Judge(call)
    for name, right in (("∂decay", True), ("∂drive", False)):
        nan = {name: judge.plain.found[name] * float("nan")}
        assert (judge.flaws(op_calls.Outcome(judge.plain.found | nan)) == []) == right


def die(number: int) -> children.Found:
    if number == 1:
        os.abort()
    return children.Found(1)


def test_a_case_that_kills_its_process_is_known():
    found = dict(children.outcomes(die, [1, 2]))
    died = children.Found(1, ("the process died, exit code -6",))
    assert found == {1: died, 2: children.Found(1)}


def test_the_process_ends_with_the_one_that_asks(monkeypatch):
    stream = children.outcomes(die, range(2, 10**6))
    assert next(stream) == (2, children.Found(1))
    stream.close()
    assert not multiprocessing.active_children()
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    ours.close()
    children.serve(die, [2], theirs)


def in_process(monkeypatch, *arguments: str):
    monkeypatch.setattr(sys, "argv", ["fuzz_ops", *arguments])
    monkeypatch.setattr(children, "outcomes", lambda case, numbers: ((n, case(n)) for n in numbers))
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def test_a_part_is_a_row(monkeypatch, capsys):
    in_process(monkeypatch, "3", "--part", "2", "--first", "5")

    def case(seed: int, number: int) -> children.Found:
        return children.Found(2, ("wrong",) * (number == 6), {"ties": int(number < 7)})

    assert not children.all_right("", case, print)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "cases from 5: 1 wrong in 4 calls, 2 ties",
        "cases from 7: 0 wrong in 2 calls, 0 ties",
    ]
    assert err == "case 6: wrong\n"


def test_one_that_is_stopped_tells_what_it_has_done(monkeypatch, capsys):
    in_process(monkeypatch, "9")
    with pytest.raises(SystemExit) as stopped:
        children.all_right(
            "", lambda seed, n: children.Found(2) if n < 2 else children.stop(15, None), print
        )
    assert stopped.value.code == 143
    assert capsys.readouterr().out == "cases from 0: 0 wrong in 4 calls\n"


@pytest.mark.parametrize(("size", "left_out"), [(1e-10, False), (1e-30, True)])
def test_numbers_whose_squares_vanish_are_left_out(size, left_out):
    call = memory_call(1.0)
    tensors = call.tensors | {"strength": torch.full((2, 2), size)}
    assert Judge(call._replace(tensors=tensors)).overflows == left_out


@pytest.mark.parametrize(("size", "left_out"), [(1e9, False), (1e20, True)])
def test_hidden_states_whose_cubes_overflow_are_left_out(size, left_out):
    tensors = {"drive": torch.full((1, 2, 3), size), "recurrent_weight": torch.eye(3)}
    options = {"decay": 0.9, "rate": 0.0}
    call = Call("fast_weight_rnn", tensors, options, ("drive",), ("random",) * 3, False, 1, 0)
    assert Judge(call).overflows == left_out
