"""What the project promises of itself: versions that agree, nothing unsafe or private shipped, a cheap import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import jaxtyping
import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import fastweights
from fastweights.ops.padding import lengths_and_shift

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


def pins(name: str) -> dict[str, Version]:
    """Read a file of constraints as {normalised name: version}; every line must be an exact pin."""
    found = {}
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("#"):
            continue
        pin = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9a-z.]*)", line)
        assert pin, f"not a plain pin: {line!r}"
        found[canonicalize_name(pin[1])] = Version(pin[2])
    return found


def ranges(*extras: str) -> dict[str, SpecifierSet]:
    """Read what pyproject.toml accepts of each dependency, and of those of these extras."""
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in extras)]
    declared = [Requirement(entry) for group in groups for entry in group]
    return {
        canonicalize_name(each.name): each.specifier
        for each in declared
        if each.name != PROJECT["name"]
    }


USED = ("cli", "viz", "rl", "text", "hf")  # the extras whose libraries the package itself imports


def test_the_constraints_are_versions_that_the_ranges_accept() -> None:
    pinned, declared = pins("constraints.txt"), ranges(*PROJECT["optional-dependencies"])
    assert declared.keys() <= pinned.keys()
    refused = {name for name, accepted in declared.items() if pinned[name] not in accepted}
    assert not refused


def test_the_lowest_versions_are_the_lower_bounds_and_every_range_is_capped() -> None:
    bounds = {
        name: {part.operator: Version(part.version) for part in accepted}
        for name, accepted in ranges(*USED).items()
    }
    assert all(limits.keys() == {">=", "<"} for limits in bounds.values()), bounds
    lowest = pins("constraints-lowest.txt")
    assert {name: limits[">="] for name, limits in bounds.items()} == {n: lowest[n] for n in bounds}


def test_what_is_installed_is_what_the_ranges_accept() -> None:
    """Numbers and tests are of these: an environment outside of them shows nothing of the project."""
    refused = {
        name: installed
        for name, accepted in ranges().items()
        if Version(installed := version(name)).base_version not in accepted
    }
    assert not refused


def test_shapes_are_checked_while_tests_run() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="mask"):
        lengths_and_shift(torch.ones(4, dtype=torch.bool))
