"""What the project promises of itself: versions that agree, nothing unsafe or private shipped, a cheap import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
import yaml

import fastweights

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

UNSAFE_MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
}
UNSAFE_CALLS = {"torch.load", "torch.save", "torch.serialization.load", "numpy.load", "np.load"}
EXPENSIVE = {"numba", "matplotlib", "rich", "tyro", "gymnasium", "PIL"}


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == fastweights.__version__ == citation["version"]
    assert f"## [{fastweights.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_package_says_that_it_is_typed() -> None:
    assert (resources.files("fastweights") / "py.typed").is_file()


def test_citation_names_the_software_and_both_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["title"] == PROJECT["name"] and citation["license"] == PROJECT["license"]
    cited = [entry["identifiers"][0]["value"] for entry in citation["references"]]
    assert cited == ["arXiv:1610.06258", "arXiv:2011.07831"]


def unsafe_uses(source: str) -> list[str]:
    """List the imports and calls in a source text that read or write pickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{a.name}" for a in node.names}
            unsafe = node.module.split(".")[0] in UNSAFE_MODULES
            found += sorted(names if unsafe else names & UNSAFE_CALLS)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in UNSAFE_CALLS:
            found.append(ast.unparse(node.func))
    return found


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from pickle import loads", "from torch import load", "x = torch.load(y)"],
)
def test_unsafe_uses_are_seen(source: str) -> None:
    assert unsafe_uses(source)


def test_no_source_touches_pickles() -> None:
    assert SOURCES
    offenders = {str(path.relative_to(ROOT)): unsafe_uses(path.read_text()) for path in SOURCES}
    assert not {path: uses for path, uses in offenders.items() if uses}


def test_no_source_file_is_two_files() -> None:
    long = {path.name: n for path in SOURCES if (n := path.read_text().count("\n")) > 300}
    assert not long


def test_tracked_files_name_no_place_of_one_machine() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    place = re.compile(r"(?<![\w.\-*])(?:/(?:work|home|root|opt|tmp|Users)/\w|[A-Z]:\\Users)")
    assert place.search('open("' + "/".join(["", "home", "someone"]) + '")')
    found = {}
    for name in filter(None, listing.stdout.decode().split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content and (hit := place.search(content.decode(errors="replace"))):
            found[name] = hit.group()
    assert not found


def test_import_leaves_expensive_libraries_alone() -> None:
    script = f"import sys, fastweights; print(*sorted({EXPENSIVE!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []


def pins() -> dict[str, str]:
    """Read constraints.txt as {normalised name: version}; every line must be an exact pin."""
    found = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        pin = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line)
        assert pin, f"not a plain pin: {line!r}"
        found[re.sub(r"[._-]+", "-", pin[1]).lower()] = pin[2]
    return found


def test_constraints_pin_every_declared_dependency() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    declared = [entry for group in groups for entry in group]
    names = {re.split(r"[\[<>=~! ]", entry)[0].lower() for entry in declared} - {PROJECT["name"]}
    assert names <= pins().keys()
    assert pins()["torch"] == "2.13.0"
