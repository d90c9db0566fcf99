"""Checks shapes at run time, where they are annotated: in each test, the first call of each function.

To check every helper took two thirds of the time, to check every call a third of it.
"""

import functools
import importlib.util
import re
import types
from pathlib import Path

import jaxtyping
import pytest
import torch

SOURCE = Path(__file__).parent / "src"
collect_ignore_glob = (
    [] if importlib.util.find_spec("triton") else ["src/*/kernels/triton/*", "src/*/cuda/*"]
)
"""Triton is there for Linux alone."""
check_shapes = jaxtyping.jaxtyped
checked = set()
"""The functions whose shapes this test has checked."""


def annotated() -> list[str]:
    """Return the names of the modules with shapes in their signatures."""
    files = (path for path in SOURCE.rglob("*.py") if "from jaxtyping import" in path.read_text())
    names = (".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in sorted(files))
    return [name.removesuffix(".__init__") for name in names]


def has_shapes(each) -> bool:
    """Return whether a function annotates a shape, itself or by a name of its module; a class may."""
    function = getattr(each, "fget", getattr(each, "__func__", each))
    if isinstance(each, type) or not hasattr(function, "__globals__"):
        return True
    if "<locals>" in function.__qualname__:  # checks would be made anew at every call
        return False
    words = re.findall(r"\w+", " ".join(map(str, function.__annotations__.values())))
    return any("jaxtyping" in repr(function.__globals__.get(word)) for word in words)


def where_shapes_are(*, typechecker):
    """Stand for `jaxtyping.jaxtyped` in what its import hook writes above every function."""
    decorate = check_shapes(typechecker=typechecker)

    def decorated(each):
        if not has_shapes(each):
            return each
        return (
            first_call(each, decorate(each)) if type(each) is types.FunctionType else decorate(each)
        )

    return decorated


def first_call(function, checking):
    """Return a function that checks its first call in a test, and no other.

    Its names are its own: a compiler that traces it looks those of a module up, and several are called conftest.
    """
    compiling, seen = torch.compiler.is_compiling, checked

    @functools.wraps(function)
    def call(*arguments, **options):
        if compiling() or function in seen:
            return function(*arguments, **options)
        seen.add(function)
        return checking(*arguments, **options)

    return call


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    checked.clear()


jaxtyping.jaxtyped = where_shapes_are
# An int may stand for a float, as PEP 484 has it.
jaxtyping.install_import_hook(
    annotated(), "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)
