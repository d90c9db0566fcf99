"""An exported run: the same logits, plain safetensors, records without paths of this machine; one line for the rest."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import fastweights
from fastweights import models
from fastweights.errors import UserError
from fastweights.runs import Run, located
from fastweights.runs.export import export
from fastweights.runs.records import sealed

CONFIG = models.model_config("lstm", input=7, hidden=5, classes=3)
TOKENS = torch.arange(6)[None]


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(0)
    model = models.from_config(CONFIG).eval()
    run = Run.create(tmp_path / "run", {"model": CONFIG, "plan": {"data_dir": "here", "seed": 1}})
    run.save_checkpoint(3, {f"model.{k}": v for k, v in model.state_dict().items()}, {})
    run.log({"step": 3, "loss": 0.5})
    run.write_result({"model": "lstm", "out": str(run.folder), "test_accuracy": 0.5})
    return run, model


@pytest.fixture
def folder(trained, tmp_path):
    export(trained[0], tmp_path / "deep" / "out", {"README.md": b"# a card\n"})
    return tmp_path / "deep" / "out"


def test_it_gives_equal_logits(trained, folder):
    loaded = fastweights.load(folder)
    assert not loaded.training
    assert torch.equal(loaded(TOKENS)[0], trained[1](TOKENS)[0])
    plain = load_file(folder / "model.safetensors")
    assert all(torch.equal(plain[name], each) for name, each in trained[1].state_dict().items())
    assert (folder / "README.md").read_text() == "# a card\n"


def test_its_records_are_the_runs_and_have_no_path(trained, folder):
    run, opened = trained[0], Run.open(folder)
    assert opened.metrics() == run.metrics()
    assert opened.result() == {**run.result(), "out": "run"}
    assert opened.config["plan"] == {"data_dir": None, "seed": 1}
    assert opened.config["model"] == run.config["model"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_of_half_the_size_are_loaded_in_the_type_they_were_trained_in(
    trained, tmp_path, dtype
):
    about = export(trained[0], tmp_path / "half", {}, dtype)
    assert (about["trained_dtype"], about["dtype"], about["step"]) == ("float32", dtype, 3)
    half, loaded = getattr(torch, dtype), fastweights.load(tmp_path / "half")
    for name, each in loaded.state_dict().items():
        assert torch.equal(each, trained[1].state_dict()[name].to(half).float())
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {each.dtype for each in stored.values()} == {half}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e6])
def test_weights_that_are_not_finite(trained, tmp_path, wrong):
    """1e6 is none in half precision."""
    run, model = trained
    weights = {f"model.{k}": v.clone() for k, v in model.state_dict().items()}
    weights["model.head.bias"][1] = wrong
    run.save_checkpoint(4, weights, {})
    with pytest.raises(UserError, match=r"not finite: head\.bias"):
        export(run, tmp_path / "deep" / "out", {}, "float16")
    assert not (tmp_path / "deep").exists()


def test_what_cannot_be_exported_leaves_nothing(trained, folder, tmp_path):
    run = trained[0]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="exists already; accepted: the name of a new folder"):
        export(run, folder, {})
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="exported model already"):
        export(Run.open(folder), tmp_path / "again", {})
    with pytest.raises(UserError, match="no checkpoint yet"):
        export(Run.create(tmp_path / "empty", {"model": CONFIG}), tmp_path / "again", {})
    with pytest.raises(UserError, match="unknown dtype 'int8'"):
        export(run, tmp_path / "again", {}, "int8")
    assert not (tmp_path / "again").exists()


def test_it_stays_as_it_is(folder):
    with pytest.raises(UserError, match=r"stays as it is: name a folder, --out"):
        _ = Run.open(folder).figures


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-3])


def other_weights(folder):
    found = load_file(folder / "model.safetensors")
    save_file({name: each + 1 for name, each in found.items()}, folder / "model.safetensors")


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def pickled(folder):
    no_weights(folder)
    torch.save({}, folder / "pytorch_model.bin")


def edited(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"hidden": 5', '"hidden": 6'))


def another_model(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["model"]["hidden"] = 6
    path.write_text(json.dumps(sealed(config)))


def foreign(folder):
    (folder / "config.json").write_text('{"model_type": "gpt2"}')


def no_json(folder):
    (folder / "config.json").write_text("weights")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (cut, "damaged: it is no safetensors file"),
        (other_weights, "not the file that config.json describes"),
        (no_weights, "cannot be read: it is missing"),
        (pickled, r"pytorch_model\.bin is a pickle, which is never loaded"),
        (edited, "was changed"),
        (another_model, "do not fit the model"),
        (foreign, r"another program \(model type gpt2\)"),
        (no_json, "not a JSON object"),
    ],
)
def test_a_broken_or_foreign_folder_is_one_clear_line(folder, spoil, complaint):
    spoil(folder)
    with pytest.raises(UserError, match=complaint) as caught:
        fastweights.load(folder)
    assert "\n" not in str(caught.value)


def test_the_models_that_come_with_the_library(tmp_path, monkeypatch):
    """They are loaded by name, but for where a folder of that name is; and they are small."""
    monkeypatch.chdir(tmp_path)
    assert located.pretrained() == ["catbabi", "retrieval"]
    for name in located.pretrained():
        model = fastweights.load(name)
        assert {each.dtype for each in model.parameters()} == {torch.float32}
    files = [path for path in located.PRETRAINED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_500_000
    (tmp_path / "retrieval").mkdir()
    with pytest.raises(UserError, match=r"not a run folder.*models by name: catbabi, retrieval"):
        fastweights.load("retrieval")


def test_a_model_of_the_hub(folder, tmp_path, monkeypatch):
    """It is looked for only where no folder is, and of it only what is safe to read."""
    import huggingface_hub

    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    fastweights.load("someone/fast-lstm")
    (name, patterns), *rest = asked
    assert name == "someone/fast-lstm" and not rest
    assert not any(pattern in ("*", "*.bin", "*.py") for pattern in patterns)
    for path in ("deep/nothing", "a/b/c", "./nothing"):
        with pytest.raises(UserError, match="not a run folder"):
            fastweights.load(path)
    assert len(asked) == 1
    shutil.copytree(folder, tmp_path / "someone" / "fast-lstm")
    fastweights.load("someone/fast-lstm")
    assert len(asked) == 1


def test_a_hub_that_cannot_be_reached(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        UserError, match="is no folder here, and the hub did not return it"
    ) as caught:
        fastweights.load("fastweights-nobody/nothing")
    assert "\n" not in str(caught.value)


def test_without_the_hubs_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'fastweights\[hf\]'"):
        fastweights.load("someone/fast-lstm")
