"""Whether the `transformers` that the room needs is there: importing this raises an ImportError where it is not."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def check_transformers() -> None:
    """Raise one clear ImportError unless transformers 5 or later is installed."""
    install = 'pip install "fastweights[hf]"'
    try:
        found = version("transformers")
    except PackageNotFoundError:
        raise ImportError(f"fastweights.hf needs transformers 5: {install}") from None
    if int(found.partition(".")[0]) < 5:
        raise ImportError(f"fastweights.hf needs transformers 5, not {found}: {install}")


check_transformers()
