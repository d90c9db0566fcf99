"""A trace and a run's metrics, for tests that do not care which."""

import pytest
from made import make_rows, make_trace

from fastweights.nn.base import Trace


@pytest.fixture
def trace() -> Trace:
    return make_trace()


@pytest.fixture
def rows() -> list[dict]:
    return make_rows()
