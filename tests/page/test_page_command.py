"""`fastweights page`: what it writes, and what it refuses before anything is on disk. No browser is needed."""

from __future__ import annotations

import base64
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from page_made import VOCABULARY, fast_weights, fwm
from safetensors.torch import load

import fastweights
from fastweights.cli import main
from fastweights.errors import UserError
from fastweights.experiments.experiment import PageContents
from fastweights.experiments.page import SLOT, filled
from fastweights.runs import Run

KB = 1000
TEMPLATE = resources.files("fastweights").joinpath("page/template.html").read_text("utf-8")


def record_of(text: str) -> dict[str, Any]:
    """Return the JSON that a page holds."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def weights_of(text: str) -> dict[str, torch.Tensor]:
    return load(base64.b64decode(record_of(text)["weights"]))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of retrieval that learnt nothing."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = (
        "train retrieval --steps 2 --batch 4 --test-samples 10 --hidden 8 --backend chunked --out"
    )
    assert main([*words.split(), str(folder)]) == 0
    return folder


def test_the_template_is_small_whole_and_forbids_all_but_itself() -> None:
    assert len(TEMPLATE.encode()) <= 110 * KB
    assert TEMPLATE.count(SLOT) == 1
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', TEMPLATE)
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    assert not re.findall(r'(?:src|href)="(?!data:)', TEMPLATE)  # nothing is loaded
    assert "eval(" not in TEMPLATE


@pytest.mark.parametrize(("name", "limit"), [("retrieval", 150), ("catbabi", 2000)])
def test_writes_a_model_that_comes_with_the_library(name: str, limit: int, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["page", name, "--out", str(out)]) == 0
    assert out.stat().st_size <= limit * KB
    held, own = weights_of(out.read_text("utf-8")), dict(fastweights.load(name).named_parameters())
    assert held.keys() <= own.keys() and len(held) > 5
    assert all(held[key].dtype == torch.float16 for key in held)
    assert all(torch.equal(held[key].float(), own[key]) for key in held)  # they are kept in it


def test_writes_a_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "page.html"
    assert main(["page", str(run), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"page": str(out), "bytes": out.stat().st_size, "precision": "float32"}
    record = record_of(out.read_text())
    assert (record["page"], record["shown"]) == ("retrieval", "c9k8j3f1??c")
    assert record["model"]["decay"] == 0.95 and len(record["task"]["ceilings"]) == 26
    kept = fastweights.load(run).state_dict()
    packed = weights_of(out.read_text())
    assert packed.keys() == kept.keys()
    assert all(torch.equal(packed[name], kept[name]) for name in kept)
    assert main(["page", str(run), "--out", str(tmp_path / "b.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'b.html'}\n"
    assert (tmp_path / "b.html").read_bytes() == out.read_bytes()


def test_a_page_of_fifty_units_is_small() -> None:
    model, contents = fast_weights(hidden=50)
    assert sum(each.numel() for each in model.parameters()) == 5010
    assert len(filled(contents, "float32").encode()) <= 150 * KB


@pytest.mark.parametrize(("precision", "most"), [("float16", 2000), ("int8", 1100)])
def test_a_page_of_the_papers_size_is_small(precision: Any, most: int) -> None:
    sizes = {"memory_size": 32, "reads": 3}
    contents = fwm(**sizes)[1]
    weights = {name: torch.randn(*shape) for name, shape in {
        "encoder.weight": (180, 256), "ih": (1024, 256), "hh": (1024, 256), "bias": (1024,), "write": (97, 256),
        "read": (128, 256), "out": (256, 32), "head.weight": (180, 256),
    }.items()}  # fmt: skip
    text = filled(PageContents(contents.record, weights), precision)
    assert len(text.encode()) <= most * KB


def test_precisions_round_and_no_more() -> None:
    contents = fwm()[1]
    half, byte = (weights_of(filled(contents, precision)) for precision in ("float16", "int8"))
    for name, tensor in contents.weights.items():
        torch.testing.assert_close(half[name], tensor.half(), rtol=0, atol=0)
        if tensor.dim() == 2:
            scale = byte[f"{name}.scale"][:, None]
            assert (byte[name] * scale - tensor).abs().max() <= scale.max() / 2 * 1.001
            assert byte[name].dtype == torch.int8


def test_no_word_can_end_the_element() -> None:
    record = {"page": "catbabi", "vocabulary": ["</script>", "<!--"]}
    text = filled(PageContents(record, {}), "float32")
    assert record_of(text) == record and text.count("</script>") == TEMPLATE.count("</script>")


def test_examples_are_in_the_runs_words_and_solved() -> None:
    examples = fwm()[1].record["examples"]
    assert len(examples) == 21
    assert examples[0]["solved"] == [{"word": "wolf", "others": [], "supports": [3, 5]}]
    for example in examples:
        given = re.findall(r"\? (\S+)$", example["story"], re.M)
        assert example["label"] == "two steps" or [s["word"] for s in example["solved"]] == given
    some = [word for word in VOCABULARY if word != "wolves"]
    from fastweights.experiments.catbabi.page import described

    fewer = described(fwm()[0], some, "qa", (1, 15), {}).record["examples"]
    assert [each["label"] for each in fewer] == ["one fact (1)"]  # 15 is about wolves


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_are_not_finite_are_refused(value: float, precision: Any) -> None:
    contents = fast_weights()[1]
    name = "backbone.norm.weight"
    weights = {**contents.weights, name: torch.full((20,), value)}
    if value == 1e6 and precision == "float32":
        assert filled(contents._replace(weights=weights), precision)
        return
    with pytest.raises(UserError, match=rf"weights are not finite in \w+: {name}"):
        filled(contents._replace(weights=weights), precision)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(["page", *map(str, words)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    return shown.err


def test_refusals_leave_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "deep" / "page.html"
    monkeypatch.chdir(tmp_path)
    assert "no run given" in refused(capsys)
    assert "is not a run folder" in refused(capsys, tmp_path / "none", "--out", out)
    assert "leave out the run folder" in refused(capsys, run, "--memory")
    assert "leave out the run folder" in refused(capsys, "--memory", "--precision", "int8")
    other = tmp_path.parent / f"{tmp_path.name}-other"
    words = "train retrieval --model rnn --steps 1 --batch 2 --test-samples 2 --hidden 3 --out"
    assert main([*words.split(), str(other)]) == 0
    said = refused(capsys, other, "--out", out)
    assert "a run of retrieval with the model rnn, which no page shows" in said
    assert "retrieval: fast-weights, fast-weights-flat; catbabi: fwm" in said
    begun = tmp_path.parent / f"{tmp_path.name}-begun"
    Run.create(begun, Run.open(run).config)
    assert "has no checkpoint yet" in refused(capsys, begun, "--out", out)
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "there.html"
    there.write_text("mine")
    assert "exists already" in refused(capsys, run, "--out", there)
    (tmp_path / "link.html").symlink_to(tmp_path / "nowhere")
    assert "exists already" in refused(capsys, "--memory", "--out", tmp_path / "link.html")
    assert "a file stands in its place" in refused(capsys, "--memory", "--out", there / "page.html")
    assert there.read_text() == "mine" and len(list(tmp_path.iterdir())) == 2
    assert main(["page", "--memory", "--out", str(there), "--overwrite"]) == 0
    assert record_of(there.read_text())["page"] == "memory"


def test_a_damaged_template_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastweights.experiments import page

    monkeypatch.setattr(page, "SLOT", "no such element")
    with pytest.raises(UserError, match="the template of the page is damaged"):
        filled(PageContents({}, {}), "float32")
