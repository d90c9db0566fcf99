"""Whether the release installs: build wheel and sdist, check them, and use the wheel beside exactly what it declares.

For each variant a fresh environment gets the wheel and links to those installed packages that the wheel's requirements
name, and no others: so nothing is downloaded, and a library that is used but not declared is missing there.

    python scripts/check_wheel.py                 # every extra alone
    python scripts/check_wheel.py --only core cli no-numba
    python scripts/check_wheel.py --here core     # what a variant is to do, in this environment
"""

from __future__ import annotations

import argparse
import email
import re
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LAYER = """
import torch, fastweights
from fastweights import nn, ops, models, tasks, state
y, carried = fastweights.FastWeightRNN(8, 16)(torch.randn(2, 5, 8))
z, _ = fastweights.FastWeightMemory(16, 4)(y)
z.sum().backward()
assert fastweights.build("gated-deltanet", 8, 16)(torch.randn(2, 5, 8))[0].shape == (2, 5, 16)
assert tasks.Retrieval(pairs=4).sample(2, torch.Generator()).tokens.shape == (2, 11)
"""
SMALL = """
import torch, fastweights
fastweights.FastWeightRNN(8, 16, backend="chunked")(torch.randn(2, 5, 8))  # compiles nothing
"""
REFUSED = """
import subprocess, sys
ran = subprocess.run([sys.executable, "-m", "fastweights", "list"], capture_output=True, text=True)
assert ran.returncode == 2 and ran.stderr.count("\\n") == 1 and "fastweights[cli]" in ran.stderr, ran
"""
COMMAND = """
import subprocess, sys
ran = subprocess.run([sys.executable, "-m", "fastweights", "list", "--json"], capture_output=True, text=True)
assert ran.returncode == 0 and '"models"' in ran.stdout, ran
"""
PLAIN = (
    """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
"""
    + LAYER.replace("\n", "\n    ")
    + """
assert sum("Numba is not installed" in str(each.message) for each in caught) == 1, caught
"""
)
TEXT = "from fastweights.tasks.text_tokenizer import *; import tokenizers"
DOES = {
    "core": LAYER + REFUSED,
    "no-numba": PLAIN,
    "cli": SMALL + COMMAND,
    "viz": SMALL + "from fastweights import figures; figures.save",
    "rl": SMALL
    + "import gymnasium; gymnasium.make('fastweights.tasks:fastweights/Catch-v0').reset(seed=0)",
    "text": SMALL + TEXT,
    "tune": SMALL
    + COMMAND
    + "import fastweights.experiments.tuning, fastweights.experiments.search",
    "cluster": SMALL + COMMAND + "import fastweights.experiments.cluster, distributed",
    "hf": SMALL + "import fastweights.hf",
    "onnx": SMALL + "import onnx, onnxruntime, onnxscript",
}
"""What is run with each extra alone; of the core with Numba and without."""


def main() -> int:
    """Build, check, and try every variant; the exit code is 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=list(DOES), choices=list(DOES))
    parser.add_argument("--here", choices=list(DOES))
    asked = parser.parse_args()
    if asked.here:
        exec(DOES[asked.here], {})
        return 0
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder))
        for variant in asked.only:
            said = tried(wheel, variant, Path(folder) / variant)
            print(f"{variant}: {said or 'installs and runs'}", flush=True)
            failed += [variant] if said else []
    return 1 if failed else 0


def build(folder: Path) -> Path:
    """Build wheel and sdist into a folder, check what they say of themselves, and return the wheel's path."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    files = sorted(folder.iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *map(str, files))
    (wheel,) = (path for path in files if path.suffix == ".whl")
    page = declared(wheel).get_payload()
    relative = re.findall(r"\]\((?!https?:|#)[^)]*\)", page)
    if relative or "raw/main/docs/pictures/" not in page:
        raise SystemExit(f"the package index would show relative addresses: {relative}")
    print(f"{wheel.name}: built and checked, with its sdist", flush=True)
    return wheel


def declared(wheel: Path) -> email.message.Message:
    """Return a wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_string(archive.read(name).decode())


def tried(wheel: Path, variant: str, folder: Path) -> str | None:
    """Install the wheel for a variant and return how it fails; None if it runs."""
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    inner = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(str(python), "-c", inner).strip())
    extra = variant if variant not in ("core", "no-numba") else ""
    needed = closure(map(Requirement, declared(wheel).get_all("Requires-Dist", [])), extra)
    for name in needed - ({"numba", "llvmlite"} if variant == "no-numba" else set()):
        link(name, packages)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    ran = subprocess.run([python, "-c", DOES[variant]], capture_output=True, text=True, cwd=folder)
    return None if ran.returncode == 0 else ran.stderr.strip()


def closure(requirements, extra: str) -> set[str]:
    """Return the names of all packages that requirements need, with one extra."""
    found: set[str] = set()
    waiting = [(each, extra) for each in requirements]
    while waiting:
        each, of = waiting.pop()
        if each.marker is not None and not each.marker.evaluate({"extra": of}):
            continue
        name = canonicalize_name(each.name)
        own = name == "fastweights"
        if own:
            given = map(Requirement, metadata.requires("fastweights") or [])
            waiting += [(inner, chosen) for inner in given for chosen in each.extras]
        elif name not in found:
            found.add(name)
            inner = [Requirement(text) for text in metadata.requires(name) or []]
            waiting += [(need, chosen) for need in inner for chosen in (each.extras or {""})]
    return found


def link(name: str, packages: Path) -> None:
    """Link what an installed package has at the top of its folder into another folder of packages."""
    distribution = metadata.distribution(name)
    tops = {Path(str(file)).parts[0] for file in distribution.files or []} - {"..", "__pycache__"}
    for top in tops:
        target = Path(str(distribution.locate_file(top)))
        if target.exists() and not (packages / top).exists():
            (packages / top).symlink_to(target)


def run(*words: str) -> str:
    """Run a program and return what it prints; end with what it says where it fails."""
    ran = subprocess.run(words, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{' '.join(words)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
