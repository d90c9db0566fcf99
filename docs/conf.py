"""The documentation site: `make docs`. Its sources are the pages of the repository where they lie; `scripts/docs_site`
maps each to its address and generates the others (papers, speed, reference) into `build/pages`."""

import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

# Of the notebooks, which run side by side: their networks are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# And their kernels are configured here alone, whatever a user's own profile has; they report errors only.
_profile = ROOT / "build" / "ipython" / "profile_default"
_profile.mkdir(parents=True, exist_ok=True)
(_profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
os.environ["IPYTHONDIR"] = str(_profile.parent)

_project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_repository = _project["urls"]["Repository"]

project = _project["name"]
author = _project["authors"][0]["name"]
version = release = _project["version"]
copyright = f"{author}, {_project['license']}"

extensions = [
    "docs_site.extension",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]

# The source folder is the repository itself, so that a link of a page leads where it does on a code host.
root_doc = "index"
include_patterns = [
    *("docs/**.md", "results/**.md", "src/fastweights/ops/*/README.md", "build/pages/**.md"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md"),
]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # of a cell, on a busy machine
nb_merge_streams = True

add_module_names = False
autodoc_typehints = "none"  # the docstrings' words have the shapes
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = [("live.js", {"defer": "defer"})]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    "**": [
        *("sidebar/brand.html", "sidebar/search.html", "sidebar/scroll-start.html"),
        *("sidebar/navigation.html", "sidebar/versions.html", "sidebar/scroll-end.html"),
    ]
}
# Sites of several versions lie side by side, each in a folder of its name (`.github/workflows/docs.yml`).
html_context = {"versions": os.environ.get("DOCS_VERSIONS", release).split()}

linkcheck_ignore = [rf"{_repository}.*"]
linkcheck_anchors = False
