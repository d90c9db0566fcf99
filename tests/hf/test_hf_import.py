"""Who does not use `transformers` never imports it; who lacks it is told what to install."""

import os
import subprocess
import sys

import torch

from fastweights.hf import FastWeightConfig, FastWeightForCausalLM

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


ALONE = """
import sys, torch
from transformers import AutoConfig, AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
model.save_pretrained(sys.argv[2])
print(type(model).__module__, AutoConfig.from_pretrained(sys.argv[2]).backbone)
torch.save(model(torch.arange(4)[None]).logits, sys.argv[3])
"""


def test_a_saved_folder_is_loaded_by_who_imports_transformers_alone(tmp_path):
    config = FastWeightConfig(10, "deltanet", hidden_size=8, embedding_size=8)
    model = FastWeightForCausalLM(config).eval()
    places = [tmp_path / name for name in ("saved", "again", "logits")]
    model.save_pretrained(places[0])
    run = subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, places)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules")},
    )
    assert run.stdout.split() == ["fastweights.hf.model", "deltanet"], run.stderr
    assert torch.equal(torch.load(places[2]), model(torch.arange(4)[None]).logits)
    names = {path.name for path in places[1].iterdir() if path.suffix == ".py"}
    assert names == {"modeling_fastweights.py"}
