"""Training time, with the compilation of kernels and everything that is not training left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter


def compiled_so_far() -> float:
    """Return the seconds this process has spent compiling kernels; 0 without fused kernels."""
    try:
        compile = import_module("fastweights.kernels.compile")
    except ImportError:
        return 0.0
    return compile.compile_seconds()


class Clock:
    """Adds up the seconds between `start` and `stop`, less the compilation in them.

    Attributes:
        seconds: of training, over all the processes of a resumed run.
        compile_seconds: of compilation since the clock was made, running or not.
    """

    def __init__(self, seconds: float = 0.0, compile_seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._compiled_before = compile_seconds - compiled_so_far()
        self._started: float | None = None

    def start(self) -> None:
        """Start counting."""
        self._started = perf_counter() - compiled_so_far()

    def stop(self) -> None:
        """Stop counting."""
        self._seconds = self.seconds
        self._started = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out what is done inside, if the clock is running."""
        running = self._started is not None
        if running:
            self.stop()
        yield
        if running:
            self.start()

    @property
    def seconds(self) -> float:
        if self._started is None:
            return self._seconds
        return self._seconds + (perf_counter() - compiled_so_far()) - self._started

    @property
    def compile_seconds(self) -> float:
        return self._compiled_before + compiled_so_far()
