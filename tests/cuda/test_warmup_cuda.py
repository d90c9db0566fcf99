"""`fastweights warmup --device cuda` and `fastweights doctor` where there is no device."""

import json

import pytest
import torch

from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.kernels.triton import ready
from fastweights.ops import cuda_kernels, doctor

needs_compiler = pytest.mark.skipif(
    ready.missing() is not None or ready.INTERPRETED, reason="needs Triton's compiler"
)


@needs_compiler
@pytest.mark.parametrize(
    "words, said",
    [
        (["--device", "cuda", "--capability", "75"], "capability is 75; accepted: 80 or more"),
        (["--capability", "90"], "--capability is of --device cuda"),
    ],
)
def test_what_cannot_be_compiled_for_is_one_line(words, said, capsys):
    assert main(["warmup", *words]) == 2
    assert said in capsys.readouterr().err


@needs_compiler
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
def test_without_a_device_a_capability_is_asked_for():
    with pytest.raises(UserError, match="there is no CUDA device; --capability 90 compiles for"):
        cuda_kernels.warmup()


@needs_compiler
def test_a_case_is_compiled_ahead_in_several_processes(monkeypatch):
    monkeypatch.setattr(cuda_kernels.os, "cpu_count", lambda: 2)
    case = "fast-weights RNN, H = 50"
    warmed = cuda_kernels.warmup(90, [case])
    assert warmed[:3] == (90, len(cuda_kernels.launches(case)), 0)


def test_the_doctor_finds_the_processor_healthy(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    on_cpu = [each for each in found["findings"] if each["device"] == "cpu"]
    assert [each["form"] for each in on_cpu] == [form.name for form in doctor.FORMS]
    assert found["healthy"] and all("cuda" not in each["errors"] for each in on_cpu)


def test_the_doctor_finds_a_wrong_kernel(monkeypatch, capsys):
    genuine = doctor.results

    def wrong(form, device, dtype, backend):
        found = genuine(form, device, dtype, backend)
        return found if backend == "reference" else [1.01 * x for x in found]

    monkeypatch.setattr(doctor, "results", wrong)
    assert main(["doctor"]) == 1
    assert "differs from the reference" in capsys.readouterr().err
