"""Whatever tests of tasks make lies in a cache folder of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(own_cache: None) -> None:
    pass
