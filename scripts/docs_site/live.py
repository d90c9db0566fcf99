"""Pages of runs that a reader can play with: what lies in `docs/_static/live`, each file one self-contained page."""

from __future__ import annotations

from pathlib import Path

HEAD = """# Live pages

What `fastweights page RUN` makes of a run: one file that runs in the browser, with nothing to install.
"""


def pages(root: Path) -> dict[str, str]:
    """Return the page that embeds them, by address; nothing while there are none."""
    files = sorted((root / "docs" / "_static" / "live").glob("*.html"))
    if not files:
        return {}
    lines = [HEAD]
    for path in files:
        title = path.stem.replace("-", " ")
        lines += [f"## {title.capitalize()}", "", "```{raw} html"]
        lines += [
            f'<iframe class="live-page" loading="lazy" title="{title}" src="../_static/live/{path.name}"></iframe>'
        ]
        lines += [f'<p><a href="../_static/live/{path.name}">The page by itself</a></p>', "```", ""]
    return {"live": "\n".join(lines)}
