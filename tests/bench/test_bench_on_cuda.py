"""Benchmarks on a device: refused in one line where there is none, and told by its own clock where there is one."""

import sys
from types import ModuleType

import pytest
import torch
from torch.overrides import TorchFunctionMode

from fastweights.bench import (
    BENCHES,
    delta_memory,
    fast_weight_rnn,
    language,
    language_models,
    language_step,
    lstm,
    memories,
    metro_map,
    peers,
    subject,
    timing,
    training_step,
)
from fastweights.bench.fast_weight_rnn import Shape
from fastweights.errors import UserError

ON_CUDA = [
    name for name, bench in BENCHES.items() if any(o.name == "device" for o in bench.options)
]


@pytest.fixture
def no_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_which_have_a_device():
    assert ON_CUDA == ["fast-weight-rnn", "delta-memory", "lstm", "language", "hf", "metro-map"]


@pytest.fixture
def on_processor(monkeypatch):
    """The processor in place of the device: what is sent to "cuda" stays here, eager PyTorch stands for the kernels."""

    def here(given):
        return "cpu" if given == "cuda" or given == torch.device("cuda") else given

    class Here(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            named = {name: here(each) for name, each in (kwargs or {}).items()}
            return function(
                *(here(a) if isinstance(a, str | torch.device) else a for a in args), **named
            )

    class Graphs:
        def __init__(self, step, recorder):
            self.step = step

        def __call__(self, batch):
            return self.step(batch)

    class Adam(torch.optim.Adam):
        def __init__(self, *given, capturable, **named):
            asked.append(capturable)
            super().__init__(*given, **named)

    asked = []
    eager = {"fused": "chunked", "steps": "reference", "chunked": "chunked"}
    for module in (
        subject,
        delta_memory,
        fast_weight_rnn,
        lstm,
        language,
        language_models,
        metro_map,
    ):
        if hasattr(module, "device_of"):
            monkeypatch.setattr(module, "device_of", lambda name: name or "cpu")
    for module in (lstm, training_step, language_step):
        monkeypatch.setattr(module, "replaying", lambda work, device: work)
    monkeypatch.setattr(memories, "ours", lambda device: eager)
    monkeypatch.setattr(
        delta_memory, "ON_CUDA", {"fused": ("chunked", "torch"), "steps": ("reference", "torch")}
    )
    monkeypatch.setattr(language_step, "ON_CUDA", "chunked")
    monkeypatch.setitem(language_models.BACKENDS, "cuda", "chunked")
    monkeypatch.setitem(metro_map.BACKENDS, "cuda", "chunked")
    monkeypatch.setattr(metro_map, "GraphedSteps", Graphs)
    monkeypatch.setattr(metro_map, "CudaRecorder", lambda device: None)
    monkeypatch.setattr(torch.optim, "Adam", Adam)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(timing, "_device_seconds", timing._seconds)
    with Here():
        yield asked


def names_of(row):
    return {*row["milliseconds"]}


def test_lstm(on_processor):
    rows = lstm.run([Shape(2, 3, 4)], repeats=1, device="cuda")
    assert [row["kind"] for row in rows] == ["vectors", "words", "step"]
    assert all(row["refused"] == [] and not row["goals"] for row in rows)
    assert names_of(rows[0]) == {"fused", "torch", "steps"}
    assert names_of(rows[2]) == {"fused", "torch", "steps", "graph"}
    assert sorted(on_processor) == [False, False, False, True]


def test_training_steps(on_processor, monkeypatch):
    monkeypatch.setattr(delta_memory, "SIZES", ())
    monkeypatch.setattr(delta_memory, "HEADS", ())
    tiny = iter([training_step.Shape(2, 5), training_step.Shape(2, 9, asked=0.3)])
    monkeypatch.setattr(training_step, "Shape", lambda *given, **named: next(tiny))
    rows = delta_memory.run(repeats=1, device="cuda")
    assert [row["case"] for row in rows] == [
        "training step B2 T5",
        "training step B2 T9, 30 % answers",
    ]
    for row in rows:
        assert row["refused"] == [] and names_of(row) == {"fused", "steps", "graph"}


def test_language(on_processor):
    step, generated = language.run([(2, 4, 9, 5, 6)], words=12, repeats=1, device="cuda")
    assert names_of(step) == {"awd-fwm", "awd-lstm", "torch", "products", "graph"}
    assert "awd-fwm as a graph, ms" in language.table([step])[0]
    assert generated["difference"] < 1e-4


def test_metro_map(on_processor):
    (row,) = metro_map.run(agents=3, repeats=1, device="cuda")
    assert names_of(row) == {"fused", "chunked", "graph"}


def test_the_authors_program_is_not_timed_on_a_device(tmp_path, on_processor):
    for bench in (delta_memory, metro_map):
        with pytest.raises(UserError, match="goes without --device cuda"):
            bench.run(official=tmp_path, device="cuda")


def test_language_models(on_processor):
    pytest.importorskip("transformers")
    rows = language_models.run((language_models.Shape(1, 8, 2, 4),), repeats=1, device="cuda")
    assert [row["kind"] for row in rows] == ["gated delta rule", "decoding"]
    assert all({"fused", "chunked", "transformers"} <= names_of(row) for row in rows)


@pytest.mark.parametrize("rule", peers._FUNCTIONS)
def test_flash_linear_attention_where_it_is_installed(rule, monkeypatch):
    """A stand-in with its signature, and its refusal of float32."""
    module, name = peers._FUNCTIONS[rule]
    assert peers.flash(rule, 1, 4, 1, 2, device="cpu") == {}

    def function(q, k, v, beta, g=None, scale=None, initial_state=None, output_final_state=False):
        assert q.dtype == k.dtype == v.dtype == torch.bfloat16
        assert (g is None) == (rule == "delta rule")
        last = q.shape if rule.startswith("Kimi") else q.shape[:3]
        assert (
            q.shape == (2, 4, 3, 5) and beta.shape == (2, 4, 3) and (g is None or g.shape == last)
        )
        decay = 0 if g is None else g.exp().view(*q.shape[:3], -1)
        return q * k + v * beta[..., None] + decay, None

    stand_in = ModuleType(module)
    setattr(stand_in, name, function)
    monkeypatch.setitem(sys.modules, module, stand_in)
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: True)
    (call,) = peers.flash(rule, 2, 4, 3, 5, device="cpu").values()
    assert len(call()) == (4 if rule == "delta rule" else 5)


@pytest.mark.parametrize("name", ON_CUDA)
def test_no_device_is_refused_before_anything_runs(name, no_device):
    lines = []
    with pytest.raises(UserError, match="'cuda' is not here: torch finds no CUDA device"):
        BENCHES[name].run(device="cuda", progress=lines.append)
    assert lines == []


@pytest.mark.parametrize("name", ON_CUDA)
def test_another_device_is_refused(name):
    with pytest.raises(UserError, match="mps"):
        BENCHES[name].run(device="mps")


def test_what_is_measured_on_a_device():
    listed = list(delta_memory.cases_on_cuda())
    assert {case.about["group"] for case in listed} == {"memory", "one key factor", "training step"}
    assert not any(case.note.milliseconds or case.note.goals for case in listed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_device():
    (row,) = fast_weight_rnn.run([Shape(3, 4, 5)], repeats=2, device="cuda")
    assert row["refused"] == [] and row["peak_share"] is None
    x = torch.randn(4096, 4096, device="cuda")
    found = timing.side_by_side(
        {"one": lambda: x @ x, "four": lambda: x @ x @ x @ x @ x}, device="cuda"
    )
    assert found["one"].median > 0
