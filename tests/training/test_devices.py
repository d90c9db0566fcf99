"""Devices that can be trained on, before anything is made."""

import pytest
import torch

from fastweights.errors import UserError
from fastweights.training import Settings


@pytest.mark.parametrize(
    ("name", "count", "complaint"),
    [
        ("xpu", 0, "'xpu' cannot be trained on; accepted: cpu, cuda"),
        ("meta", 0, "'meta' cannot be trained on"),
        ("gpu", 0, "unknown device 'gpu'"),
        ("cuda", 0, "finds no CUDA device"),
        ("cuda:1", 1, "finds cuda:0 alone"),
        ("cuda:4", 4, "finds cuda:0 to cuda:3"),
    ],
)
def test_a_device_that_is_not_here(name, count, complaint, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(UserError, match=complaint):
        Settings(1, device=name)


def test_devices_that_are_here(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [Settings(1, device=name).device for name in ("cpu", "cuda", "cuda:1")]
