"""Help that says which option belongs to which task."""

from __future__ import annotations

from collections.abc import Iterable

DATA_HELP = "where the data is [default: FASTWEIGHTS_DATA or the cache folder]"


def by_task(texts: Iterable[tuple[str, str]]) -> str:
    """Return tasks and what each has to say, in one line.

    Args:
        texts: a task's name, its text; tasks of one text are named together, those without one are left out.

    Example:
        >>> by_task([("catch", "episodes"), ("metro-map", "episodes"), ("text", ""), ("retrieval", "sequences")])
        'catch, metro-map: episodes; retrieval: sequences'
    """
    tasks: dict[str, list[str]] = {}
    for name, text in texts:
        tasks.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in tasks.items() if text)
