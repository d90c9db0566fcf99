"""Docstrings as reStructuredText: they are written as Markdown is, with equations indented."""

from __future__ import annotations

import re

SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Warns|Example|Examples|Note):$")
CODE = re.compile(r"(`[^`]+`)")


def to_rst(
    app: object, what: str, name: str, of: object, options: object, lines: list[str]
) -> None:
    """Rewrite the lines of a docstring in place, before Napoleon reads its sections."""
    of_its_type = what == "data" and bool(lines) and lines[0] in (of.__doc__ or "")
    lines[:] = [] if of_its_type else rewritten(lines)


def rewritten(lines: list[str]) -> list[str]:
    r"""Return lines in which code is marked as such, stars are stars, and indented blocks before all sections literal.

    >>> rewritten(["Add `x` to *lead.", "", "    y = x_ * 2", "", "Args:", "    x: one."])
    ['Add ``x`` to \\*lead.', '', '::', '', '    y = x_ * 2', '', 'Args:', '    x: one.']
    """
    found: list[str] = []
    sections = literal = example = False
    for line in lines:
        if SECTION.match(line):
            sections, literal = True, False
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        indented = not sections and line.startswith("    ")
        if indented and not literal:
            if found and found[-1].strip():
                found.append("")
            found += ["::", ""]
        literal = indented or (literal and not line.strip())
        found.append(line if example or literal else _marked(line))
    return found


def _marked(line: str) -> str:
    parts = CODE.split(line)
    return "".join(f"`{part}`" if CODE.fullmatch(part) else _escaped(part) for part in parts)


def _escaped(text: str) -> str:
    return re.sub(r"([*|\\]|_(?!\w))", r"\\\1", text)
