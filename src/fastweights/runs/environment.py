"""The environment of a run: versions, the commit of the source, the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from pathlib import Path

import torch

from fastweights.version import VERSION


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a run's numbers."""
    import numpy

    return {
        "fastweights": VERSION,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
    }


def changes(recorded: object) -> list[str]:
    """List what differs between recorded `versions` and those of now: "torch 2.13.0, not 2.9.0"."""
    if not isinstance(recorded, dict):
        return []
    return [
        f"{name} {version}, not {recorded.get(name)}"
        for name, version in versions().items()
        if recorded.get(name) != version
    ]


@cache
def commit() -> str | None:
    """Return the git commit of the library's source ("-dirty": changed since); None if unknown."""
    source = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", "-C", str(source.parent), *words]
        return subprocess.run(
            command, check=True, capture_output=True, timeout=10, text=True
        ).stdout

    try:
        # Installed into an environment inside some other repository, the file is not one that git
        # follows.
        git("ls-files", "--error-unmatch", source.name)
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def machine() -> dict[str, str | int]:
    """Describe the machine: system, processor, its widest vector instructions, cores, threads in use, GPU if any."""
    described: dict[str, str | int] = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
    }
    if torch.cuda.is_available():
        described["gpu"] = torch.cuda.get_device_name()
    return described


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    content = table.read_text(errors="replace") if table.is_file() else ""
    named = re.search(r"^model name\s*:(.*)", content, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()
