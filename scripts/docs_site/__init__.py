"""The Sphinx extension of the documentation site: addresses of pages, generated pages, docstrings, public names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from docs_site import addresses, docstrings, papers, reference, speed

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "pages"
logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything; Sphinx calls this."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", _begin)
    app.connect("autodoc-process-docstring", docstrings.to_rst, priority=400)
    app.connect("env-updated", _check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _begin(app: Sphinx) -> None:
    app.project.__class__ = addresses.Pages
    pages = {**papers.pages(ROOT), **speed.pages(ROOT), **reference.pages()}
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
