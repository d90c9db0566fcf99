"""Tensors between unreadable pages: their neighbours end the process, and a kernel that keeps to them does not."""

import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import children
import guard_pages
import op_calls
import pytest
import torch

SEED = 0
LSTM = next(n for n in range(100) if op_calls.draw(SEED, n, finite=True).op == "lstm")


def past_an_end(number: int) -> children.Found:
    x = guard_pages.guarded((3, 5), torch.float32, at_end=True).zero_()
    at = x.data_ptr() + x.nbytes - number
    ctypes.c_char.from_address(at).value = b"a"
    return children.Found(1)


def test_past_an_end_the_process_dies():
    """The last byte may be written, the one behind it may not."""
    died = children.Found(1, ("the process died, exit code -11",))
    found = dict(children.outcomes(past_an_end, [1, 0]))
    assert found == {1: children.Found(1), 0: died}


def test_a_fused_op_keeps_to_its_memory(monkeypatch):
    if "cpu" not in op_calls.backends("lstm"):
        pytest.skip("no kernels here")
    taken = []
    guarded = guard_pages.guarded
    monkeypatch.setattr(guard_pages, "guarded", lambda *a, **k: taken.append(a) or guarded(*a, **k))
    assert guard_pages.case(SEED, LSTM) == children.Found(2)
    assert len(taken) > 8
