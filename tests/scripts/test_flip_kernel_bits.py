"""The proof by flipped bits: each way in which a process can end is told from the others."""

import os
import random
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import flip_kernel_bits
from flip_kernel_bits import Ended, flip, tried

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forks")


def test_one_bit_is_flipped_in_its_place(tmp_path):
    path = tmp_path / "a.nbc"
    path.write_bytes(bytes(100))
    flip(path, random.Random(0))
    content = path.read_bytes()
    assert len(content) == 100 and int.from_bytes(content, "big").bit_count() == 1


@pytest.mark.parametrize(
    ("ends", "written", "wrong"),
    [
        ((Ended(False, "a"), Ended(False, "a")), (True, False), ""),
        ((Ended(True, ""), Ended(False, "a")), (True, False), "crash"),
        ((Ended(False, "a"), Ended(True, "")), (True, False), "crash"),
        ((Ended(False, "b"), Ended(False, "a")), (True, False), "other result"),
        ((Ended(False, "a"), Ended(False, "")), (True, False), "other result"),
        ((Ended(False, "a"), Ended(False, "a")), (False, False), "lasting refusal"),
        ((Ended(False, "a"), Ended(False, "a")), (True, True), "lasting refusal"),
    ],
)
def test_what_went_wrong_is_told(ends, written, wrong, tmp_path, monkeypatch):
    path, told = tmp_path / "a.nbc", list(zip(ends, written, strict=True))
    path.write_bytes(bytes(9))

    def in_a_fork():
        ended, writes = told.pop(0)
        if writes:
            os.utime(path, ns=(0, len(told)))
        return ended

    monkeypatch.setattr(flip_kernel_bits, "in_a_fork", in_a_fork)
    assert tried(path, random.Random(0), "a") == wrong


def test_a_fork_that_crashes_is_told_from_one_that_computes(monkeypatch):
    monkeypatch.setattr(flip_kernel_bits, "computed", lambda: "a")
    assert flip_kernel_bits.in_a_fork() == (False, "a")
    monkeypatch.setattr(flip_kernel_bits, "computed", lambda: signal.raise_signal(signal.SIGKILL))
    assert flip_kernel_bits.in_a_fork() == (True, "")
