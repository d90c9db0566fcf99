"""The script for the day a device is at hand, rehearsed on the processor: whatever breaks here would break there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fastweights.kernels.triton import ready
from fastweights.ops import doctor

SCRIPT = Path(__file__).parents[2] / "scripts" / "on_gpu.py"


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], env=os.environ | environment, capture_output=True, text=True
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(ready.missing() is not None, reason=str(ready.missing()))
def test_parts_can_be_rehearsed(tmp_path):
    words = (
        "--rehearse",
        "--only",
        "machine,smallest,sanitizer,training,recipe,block_sizes",
        "--out",
        str(tmp_path / "lines"),
    )
    ran = run(*words, TRITON_INTERPRET="1")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0 and not [line for line in lines if "failed" in line], ran.stdout
    assert lines == [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    forms = [line["form"] for line in lines if "form" in line]
    assert forms == [form.name for form in doctor.FORMS if form.op != "lstm"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
@pytest.mark.parametrize(
    "words, said", [((), "there is no CUDA device"), (("--only", "corect"), "accepted: machine")]
)
def test_what_cannot_run_is_one_line(words, said):
    ran = run(*words, TRITON_INTERPRET="0")
    assert ran.returncode == 2 and said in ran.stderr and "Traceback" not in ran.stderr
