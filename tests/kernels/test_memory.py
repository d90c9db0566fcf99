"""Buffers used again."""

from __future__ import annotations

import torch

from fastweights.kernels import memory


def test_memory_comes_back_once_the_last_view_is_gone(monkeypatch):
    monkeypatch.setattr(memory, "_free", {})  # other tests have left buffers of this size
    like = torch.zeros(1)
    first = memory.take(memory.LARGE, like)
    place = first.data_ptr()
    view = first[5:]
    del first
    other = memory.take(memory.LARGE, like)
    assert other.data_ptr() != place
    assert view.numel() == memory.LARGE - 5
    del view
    assert memory.take(memory.LARGE - 10, like).data_ptr() == place


def test_a_large_tensor_takes_memory_used_before_and_a_small_one_its_own(monkeypatch):
    monkeypatch.setattr(memory, "_free", {})
    like = torch.zeros(1)
    first = memory.take(memory.LARGE, like)
    place = first.data_ptr()
    del first
    shape = (2, memory.LARGE // 4, 2)
    large, small = memory.empty(shape, like), memory.empty((2, 3), like)
    assert large.data_ptr() == place
    assert large.shape == shape
    assert large.is_contiguous()
    assert small.shape == (2, 3)


def test_a_buffer_of_another_type_or_of_twice_the_size_is_not_taken():
    small = memory.take(memory.LARGE, torch.zeros(1))
    place = small.data_ptr()
    del small
    others = [
        memory.take(memory.LARGE, torch.zeros(1, dtype=torch.float64)),
        memory.take(4 * memory.LARGE, torch.zeros(1)),
        memory.take(memory.LARGE // 3, torch.zeros(1)),
    ]
    assert place not in [x.data_ptr() for x in others]


def test_no_more_is_kept_than_a_few():
    held = [memory.take(memory.LARGE, torch.zeros(1)) for _ in range(2 * memory.KEPT)]
    del held
    assert len(memory._free) <= memory.KEPT


def test_a_default_device_is_none_of_a_buffers(monkeypatch):
    monkeypatch.setattr(memory, "_free", {})
    with torch.device("meta"):
        made = memory.take(memory.LARGE, torch.zeros(1, device="cpu"))
    assert made.device == torch.device("cpu")
