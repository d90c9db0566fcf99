"""How kernels are compiled: one decorator, a cache that notices every edit (`cache.py`), and a clock."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import types

from fastweights.errors import Unavailable
from fastweights.kernels.cache import CodeCache, cache_folder
from fastweights.kernels.numba_internals import ParallelOptions, compiling

logger = logging.getLogger("fastweights.kernels")

OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}
_jit: Any = numba.njit

failures: list[str] = []  # kernels of this process that did not compile, and why


def helper(function: Callable[..., Any]) -> Any:
    """Mark a function that kernels call; it is compiled with them, never on its own."""
    dispatcher = _jit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(
        inspect.unwrap(function)
    )  # runtime shape checks wrap functions
    template = dispatcher.get_call_template

    def without_literals(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        """One compilation for every value of a constant argument."""
        return template(tuple(map(types.unliteral, args)), kws)

    dispatcher.get_call_template = without_literals
    return dispatcher


class CompileError(Unavailable):
    """A kernel does not compile on this machine."""


_seconds = 0.0
_seconds_lock = threading.Lock()


def compile_seconds() -> float:
    """Return the seconds that this process has spent compiling kernels or loading them from the cache."""
    return _seconds


def _reason(error: Exception) -> str:
    """Return the line of a compiler's report that says what is wrong."""
    for line in str(error).splitlines():
        if line.strip() and not line.startswith(("Failed in", "During:")):
            return line.strip()
    return repr(error)


class Kernel:
    """A compiled entry point; see `kernel`."""

    def __init__(self, function: Callable[..., Any], *, parallel: bool) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        function = inspect.unwrap(function)
        self._name = function.__qualname__
        # Unfused: Numba sees no dependency through raw pointers and would run two loops that follow each other as one.
        # Not as a dictionary: Numba takes the entries out when it compiles, and the next type would be fused.
        loops = ParallelOptions({"fusion": False}) if parallel else False
        self.dispatcher = _jit(parallel=loops, **OPTIONS)(function)
        self._ready: set[Any] = set()
        self._lock = threading.RLock()
        if cache_folder(Path(inspect.getfile(function))) is not None:
            self.dispatcher._cache = CodeCache(function)

    def __call__(self, *args: Any) -> Any:
        """Run the kernel; its first call with new types compiles it or loads it from the cache.

        Raises:
            CompileError: if it does not compile.
        """
        if tuple(map(type, args)) not in self._ready:
            self.prepare(*args)
        return self.dispatcher(*args)

    def prepare(self, *args: Any) -> None:
        """Compile the kernel for arguments of these types, or load it from the cache, without running it.

        Raises:
            CompileError: if it does not compile.
        """
        global _seconds
        key = tuple(map(type, args))
        with self._lock:
            if key in self._ready:
                return
            logger.info("compiling %s (once; later runs load it from the cache)", self.__name__)
            start = time.perf_counter()
            try:
                with compiling(self._name):
                    self.dispatcher.compile(tuple(numba.typeof(a) for a in args))
            except Exception as error:
                failures.append(f"{self.__name__} does not compile: {_reason(error)}")
                raise CompileError(failures[-1]) from error
            finally:
                with _seconds_lock:
                    _seconds += time.perf_counter() - start
            self._ready.add(key)


def kernel(function: Callable[..., Any] | None = None, *, parallel: bool = False) -> Any:
    """Compile a function into an entry point that Python calls: cached, timed, without the GIL.

    Args:
        function: written in Numba's subset of Python; may call functions marked `helper`.
        parallel: whether it uses `numba.prange`.

    Example:
        >>> @kernel
        ... def double(x):
        ...     return x + x
        >>> double(1.5)
        3.0
    """
    if function is None:
        return lambda decorated: Kernel(decorated, parallel=parallel)
    return Kernel(function, parallel=parallel)
