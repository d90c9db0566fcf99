"""Who does not use `transformers` never imports it; who lacks it is told what to install."""

import subprocess
import sys

LACKING = """
import importlib.metadata as metadata
def version(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = version
import fastweights.hf
"""

OLD = """
import importlib.metadata as metadata
metadata.version = lambda name: "4.57.1"
import fastweights.hf
"""

OTHERS = """
import sys
import fastweights
from fastweights import figures, models, runs, tasks, training
from fastweights.experiments.registry import studies
print("transformers" in sys.modules)
"""


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_without_transformers_one_line_says_what_to_install():
    run = python(LACKING)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        'ImportError: fastweights.hf needs transformers 5: pip install "fastweights[hf]"'
    )


def test_an_older_transformers_is_too_old():
    run = python(OLD)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "ImportError: fastweights.hf needs transformers 5, not 4.57.1: "
        'pip install "fastweights[hf]"'
    )


def test_nothing_else_imports_it():
    run = python(OTHERS)
    assert run.stdout.strip() == "False", run.stderr
