import jaxtyping
import pytest


@pytest.fixture
def unchecked():
    """Run-time type checks off: the library's own messages are what a user sees."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
