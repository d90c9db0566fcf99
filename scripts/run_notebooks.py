"""Run the notebooks of docs/notebooks, each in a kernel of its own, and say how long each takes.

python scripts/run_notebooks.py [NAME …]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbclient
from myst_nb.core.read import read_myst_markdown_notebook

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"


def main(names: list[str]) -> int:
    """Run the named notebooks, or all; the exit code is 1 where a cell fails."""
    failed = []
    for path in sorted(FOLDER.glob("*.md")):
        if names and path.stem not in names:
            continue
        notebook = read_myst_markdown_notebook(path.read_text(encoding="utf-8"))
        start = time.perf_counter()
        try:
            resources = {"metadata": {"path": str(FOLDER)}}
            nbclient.NotebookClient(notebook, timeout=900, resources=resources).execute()
        except nbclient.exceptions.CellExecutionError as error:
            print(f"{path.name}: {error}")
            failed.append(path.name)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
