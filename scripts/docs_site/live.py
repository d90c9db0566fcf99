"""Pages of models that a reader can play with: those that come with the library, and what lies in `docs/_static/live`.

Each is one self-contained file of `fastweights page`, and stands in a frame of the page "Live pages".
"""

from __future__ import annotations

from pathlib import Path

from fastweights.experiments.page import write_memory, write_run

HEAD = """# Live pages

What `fastweights page RUN` makes of a run: one file with the weights and the program that runs them, in your browser.
Nothing you type leaves it. The first two are of the models that come with the library (`fastweights page retrieval`,
`page catbabi`), the third needs none (`page --memory`). [What they show](../../docs/page.md), and how to make one of
your run.
"""
CAPTIONS = {
    "retrieval": "A network of 100 ReLU units with fast weights, trained on 8 pairs: type some, and step.",
    "catbabi": "An LSTM of 256 units with a Fast Weight Memory, trained on generated stories: write one.",
    "memory": "No network: facts written by Hebb's rule and by the delta rule, under product keys and joined ones.",
}
"""What is embedded of the library's own, in this order."""
TITLES = {"catbabi": "catbAbI", "memory": "A memory by hand"}


def write(folder: Path) -> None:
    """Write the library's own pages into a folder."""
    for name in ("retrieval", "catbabi"):
        write_run(Path(name), folder / f"{name}.html", overwrite=True)
    write_memory(folder / "memory.html", overwrite=True)


def page(root: Path) -> str:
    """Return the page that embeds them, and those that lie in `docs/_static/live` of a checkout."""
    lines = [HEAD]
    own = sorted(path.stem for path in (root / "docs" / "_static" / "live").glob("*.html"))
    for name in [*CAPTIONS, *(each for each in own if each not in CAPTIONS)]:
        title = TITLES.get(name, name.replace("-", " ").capitalize())
        source = f"../_static/live/{name}.html"
        frame = f'class="live-page" loading="lazy" sandbox="allow-scripts" title="{title}"'
        lines += [f"## {title}", "", CAPTIONS.get(name, ""), "", "```{raw} html"]
        lines += [f'<iframe {frame} src="{source}"></iframe>']
        lines += [f'<p><a href="{source}">{title}, by itself</a></p>', "```", ""]
    return "\n".join(lines)
