"""Every registered backbone, small, for tests of what tools make of one."""

import torch

from fastweights import models

INPUT, HIDDEN = 4, 6
SMALL = {
    "fwm": {"memory_size": 3},
    "awd-fwm": {"memory_size": 3, "layers": 2},
    "awd-lstm": {"layers": 2},
    "awd-txl": {"layers": 2, "heads": 2, "inner_size": 5, "memory_length": 4},
    "residual-lstm": {"layers": 2},
    "mnm": {"memory_size": 3, "heads": 1, "memory_layers": 2},
    "transformer-xl": {"layers": 2, "heads": 2, "inner_size": 5, "memory_length": 4},
    "convnet": {"cells": (0, 1, None, 2, 3), "patch": 2},
}
NAMES = models.names()


def small(name):
    torch.manual_seed(0)
    return models.build(name, INPUT, HIDDEN, **SMALL.get(name, {})).eval()


def padded(batch, time):
    """Return x and a mask, with padding behind in the first row and in front in the last, where there are several."""
    mask = torch.ones(batch, time, dtype=torch.bool)
    if batch > 1:
        mask[0, time // 2 + 1 :] = False
        mask[-1, : time // 2] = False
    return torch.randn(batch, time, INPUT), mask
