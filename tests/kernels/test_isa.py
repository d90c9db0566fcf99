"""Instruction sets and the measured peak."""

from __future__ import annotations

import numba
import pytest

from fastweights.kernels import isa
from fastweights.kernels.peak import measure_peak


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ("+avx512f,+avx2,+fma", "avx512"),
        ("+avx2,+fma,-avx512f", "avx2"),
        ("+avx2", None),
        ("", None),
    ],
)
def test_what_is_masked_off_does_not_count(monkeypatch, features, name):
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    assert isa.host.__wrapped__().name == name or isa.host.__wrapped__().vector_bytes == 16


def test_register_blocks_fit_the_register_file():
    for row, registers in ((isa.AVX512, 32), (isa.AVX2, 16), (isa.NEON, 32), (isa.GENERIC, 16)):
        assert row.rows + 2 <= registers
        assert row.tile**2 + row.tile + 1 <= registers
        assert 2 * row.pair + 2 <= registers
        assert 4 * row.quad + 2 <= registers


def test_the_peak_is_what_a_core_can_do():
    assert 0.5 < measure_peak(0.05) < 2000
