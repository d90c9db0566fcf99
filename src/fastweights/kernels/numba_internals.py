"""What kernels take of Numba beside its public interface: all of it, so that a new Numba is looked at in one place.

Where a name is gone, importing this is an ImportError, `ready.available` says so, and plain PyTorch runs.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import bytecode, caching, codegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import ParallelOptions
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate, infer_getattr

__all__ = ["AttributeTemplate", "ParallelOptions", "infer_getattr", "lower_getattr_generic"]

try:
    CacheLocator: Any = caching._CacheLocator
    CacheImpl: Any = caching.CompileResultCacheImpl
    CacheFiles: Any = caching.IndexDataCacheFile
    FunctionCache: Any = caching.FunctionCache
    _caching: Any = caching
    unpickled: Any = _caching.pickle.loads  # the form in which Numba keeps machine code
    _Library: Any = codegen.CPUCodeLibrary
    _Identity: Any = bytecode.FunctionIdentity
    _replaced = (_Library._optimize_final_module, _Identity._unique_ids)
except AttributeError as error:
    raise ImportError(f"Numba {numba.__version__} is not one that kernels know: {error}") from error

# Numba tells functions of one name apart by a number that it counts from 1 in each process, and weak symbols that bear
# the same name and number are one to the linker: machine code from the cache would be called in place of another
# function that this process compiles. Counting from a place of its own, no process meets another's numbers.
_own_ids = itertools.count(secrets.randbits(60))


@contextmanager
def compiling(entry: str) -> Iterator[None]:
    """Compile one kernel and its helpers as a whole; Numba is as ever for everyone else.

    Helpers are optimised once, inside the kernel that calls them; Numba would do it again at every level of calls. The
    kernel's copies of them are its own and have no symbol. The linker would take all of one name for the same and call
    the first that it has met: in the process that compiles, the helper as it was before it was optimised.
    """
    with global_compiler_lock:
        optimise, ids = _Library._optimize_final_module, _Identity._unique_ids

        def optimise_entry(library: Any) -> None:
            if library.name == entry:
                for function in library._final_module.functions:
                    if function.linkage == llvm.Linkage.linkonce_odr:
                        function.linkage = llvm.Linkage.private
                optimise(library)

        _Library._optimize_final_module, _Identity._unique_ids = optimise_entry, _own_ids
        try:
            yield
        finally:
            _Library._optimize_final_module, _Identity._unique_ids = optimise, ids
