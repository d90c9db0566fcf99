import pytest
import torch
from backbones import BACKBONES, HIDDEN, INPUT


@pytest.fixture(params=BACKBONES)
def backbone(request):
    """Each backbone in turn, in float64 so that only a wrong recurrence can be seen."""
    torch.manual_seed(0)
    return BACKBONES[request.param](INPUT, HIDDEN).double().eval()


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(3, 9, INPUT, dtype=torch.float64)
