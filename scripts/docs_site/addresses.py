"""Which address a page of the repository has in the site: pages stay where they are, and links between them work."""

from __future__ import annotations

import re

ADDRESSES = (
    (r"docs/(.+)", r"\1"),
    (r"build/pages/(.+)", r"\1"),
    (r"src/fastweights/ops/(\w+)/README", r"ops/\1"),
    (r"(results(?:/.+)?)/README", r"\1/index"),
    (r"([A-Z_]+)", lambda found: found[1].lower().replace("_", "-")),
)
"""Of a file without its ending, in this order."""


def address(name: str) -> str:
    """Return the address of a page.

    >>> address("docs/speed"), address("results/README"), address("CONTRIBUTING"), address("papers/ba2016")
    ('speed', 'results/index', 'contributing', 'papers/ba2016')
    """
    for pattern, replacement in ADDRESSES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name
