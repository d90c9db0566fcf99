"""The Sphinx extension: pages by their addresses, generated pages, docstrings, and that no public name is missing."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.project import Project
from sphinx.util import logging

from docs_site import docstrings, live, papers, reference, speed
from docs_site.addresses import address

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "pages"
STATIC = ROOT / "build" / "static"
logger = logging.getLogger(__name__)


class Pages(Project):
    """The pages of the repository by their addresses."""

    def path2doc(self, filename: str | PathLike[str]) -> str | None:
        """Return the address of a file, None if it is no page."""
        name = super().path2doc(filename)
        return None if name is None else address(name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything; Sphinx calls this."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", _begin)
    app.connect("autodoc-process-docstring", docstrings.to_rst, priority=400)
    app.connect("env-updated", _check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _begin(app: Sphinx) -> None:
    app.project.__class__ = Pages
    pages = {**papers.pages(ROOT), **speed.pages(ROOT), **reference.pages()}
    pages["live"] = live.page(ROOT)
    live.write(STATIC / "live")
    app.config.html_static_path.append(str(STATIC))
    for name, text in pages.items():
        path = PAGES / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in set(PAGES.rglob("*.md")) - {PAGES / f"{name}.md" for name in pages}:
        path.unlink()


def _check_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every public name that the reference does not document."""
    documented = env.domains.python_domain.objects
    for name in reference.documented_names():
        if name not in documented:
            logger.warning("the reference lacks the public name %s", name)
