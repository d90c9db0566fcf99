"""Tests whose process has TRITON_INTERPRET=1: `test_interpreted.py` starts it; to run one of them by hand, set it."""

import numpy as np
import pytest

from fastweights.kernels.triton import ready

collect_ignore_glob = ["conftest.py"] if ready.INTERPRETED else ["*.py"]


@pytest.fixture(autouse=True)
def _quiet():
    """A device says nothing of what is not finite; NumPy, on which the interpreter runs, would."""
    with np.errstate(all="ignore"):
        yield
