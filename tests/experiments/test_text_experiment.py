"""Word language models: presets, epochs that go on, the temperature, what is said of typed text, the study's cells."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments.runner import train
from fastweights.experiments.text import TEXT, predict
from fastweights.experiments.text import options as text_options
from fastweights.experiments.text import plan as text_plan
from fastweights.experiments.text.options import TextOptions, TextTest
from fastweights.experiments.text.plan import TextPlan
from fastweights.experiments.text.predict import open_model
from fastweights.experiments.text.progress import EpochProgress, epochs_of
from fastweights.experiments.text.testing import TEMPERATURES, lowest
from fastweights.experiments.text.writing import spelled, write
from fastweights.runs import Run
from fastweights.runs.records import sealed
from fastweights.tasks.text_tokenizer import learn
from fastweights.training import Averaging

pytestmark = pytest.mark.usefixtures("unsynced")

WORDS = {"ptb": 10_000, "wikitext-2": 33_278}
TINY = {"model": "awd-lstm", "embedding": 6, "hidden": 8, "batch": 4, "length": 20}


def tiny(text_files: tuple[str, str, str], **changed) -> TextOptions:
    """A language model that learns a little in a moment, at a constant rate."""
    wanted = {**TINY, "learning_rate": 0.02, "schedule": "constant", "epochs": 2, **changed}
    return TextOptions(data=text_files, **wanted)


def planned(**chosen) -> TextPlan:
    return TEXT.plan(TextOptions(**chosen))


@pytest.fixture(scope="module")
def run(text_files, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(TEXT, tiny(text_files), folder)
    return folder


@pytest.fixture
def published(monkeypatch):
    """The vocabularies' sizes, without the texts."""

    class Sized(SimpleNamespace):
        counts: ClassVar = {"train": 10_000}
        __hash__ = object.__hash__

    monkeypatch.setattr(text_options, "_task", lambda _dir, data, *_: Sized(classes=WORDS[data[0]]))
    # The steps of an epoch take the texts.
    monkeypatch.setattr(text_plan, "_ends", lambda *_: (1,))


@pytest.mark.parametrize("data", WORDS)
@pytest.mark.parametrize("preset", ["small", "paper"])
def test_both_models_have_the_same_settings(preset, data):
    memory, lstm = (
        dataclasses.asdict(planned(data=(data,), model=name, preset=preset))
        for name in ("awd-fwm", "awd-lstm")
    )
    apart = {name for name in memory if memory[name] != lstm[name]}
    assert apart == {"model", "memory_size", "reads"}


@pytest.mark.parametrize("data", WORDS)
@pytest.mark.parametrize("model", ["awd-fwm", "awd-lstm"])
def test_the_small_models_are_small(model, data, published):
    ready = planned(data=(data,), model=model)
    built = models.from_config(ready.model_config())
    weights = sum(weight.numel() for weight in built.parameters())
    assert weights <= 5_000_000
    assert built.head.weight is built.encoder.weight
    assert built.encoder.weight.abs().max() <= 0.25 and not built.head.bias.any()


@pytest.mark.parametrize(("data", "weights"), [("ptb", 24_325_025), ("wikitext-2", 33_659_503)])
def test_the_papers_model_has_the_weights_that_its_authors_print(data, weights, published):
    ready = planned(data=(data,), preset="paper")
    built = models.from_config(ready.model_config())
    assert sum(weight.numel() for weight in built.parameters()) == weights


def test_averaging_begins_behind_an_epoch_or_when_patience_ends(text_files):
    ready = TEXT.plan(tiny(text_files, averaging_epoch=2))
    ends = ready.ends(3)
    assert ready.engine_settings().averaging == Averaging(2.0, start=ends[1])
    assert (
        ready.engine_settings().evaluations == ends[:2] and ready.engine_settings().steps == ends[1]
    )
    patient = TEXT.plan(tiny(text_files, averaging_patience=3, averaging_rate=0.5))
    assert patient.engine_settings().averaging == Averaging(0.5, patience=3)
    assert TEXT.plan(tiny(text_files)).engine_settings().averaging is None
    paper = TEXT.plan(tiny(text_files, preset="paper")).engine_settings().averaging
    assert paper is not None and paper.start == ready.ends(766)[-1]


def test_a_time_replaces_the_schedule_that_ends_with_the_steps():
    assert planned().schedule == "cosine"
    assert planned(minutes=1).schedule == "constant"
    with pytest.raises(UserError, match="leave out one of minutes and schedule"):
        planned(minutes=1, schedule="cosine")


def test_another_backbone_is_as_wide_as_its_embedding():
    ready = planned(model="lstm", embedding=24)
    assert ready.hidden == 24 and ready.layers is None
    with pytest.raises(UserError, match="model 'lstm' has no reads"):
        planned(model="lstm", reads=2)


def test_files_are_found_again_from_anywhere(text_files, monkeypatch):
    folder = Path(text_files[0]).parent
    monkeypatch.chdir(folder)
    assert TextOptions(data=tuple(Path(file).name for file in text_files)) == TextOptions(
        data=text_files
    )
    assert TextOptions(data=("ptb",)).data == ("ptb",)


def test_more_epochs_go_on_with_a_finished_run(text_files, tmp_path):
    whole = train(TEXT, tiny(text_files, epochs=3), tmp_path / "whole")
    first = train(TEXT, tiny(text_files, epochs=1), tmp_path / "staged")
    again = train(TEXT, tiny(text_files, epochs=1), tmp_path / "staged", resume=True)
    assert again.result == first.result and first.result["epochs"] == 1
    staged = train(TEXT, tiny(text_files, epochs=3), tmp_path / "staged", resume=True)
    times = {"train_seconds", "test_seconds", "compile_seconds", "words_per_second", "out"}
    assert {k: v for k, v in staged.result.items() if k not in times} == {
        k: v for k, v in whole.result.items() if k not in times
    }
    ours, theirs = (
        Run.open(tmp_path / name).load_checkpoint().tensors for name in ("whole", "staged")
    )
    assert ours.keys() == theirs.keys() and len(ours) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert staged.result["validation_perplexity_1"] == first.result["validation_perplexity_1"]


def test_a_short_text_of_ones_own_is_read_more_often(text_files):
    assert planned(data=text_files).epochs == 30
    assert planned(data=text_files, epochs=2).epochs == 2
    assert planned(data=text_files, preset="paper").epochs == 900


def test_a_rate_that_falls_with_the_epochs_decides_with_them(text_files):
    falls, constant = (
        [TEXT.plan(tiny(text_files, schedule=schedule, epochs=n)).deciding() for n in (1, 2)]
        for schedule in ("cosine", "constant")
    )
    assert falls[0] != falls[1] and constant[0] == constant[1]


@given(st.floats(0.5, 1.6), st.floats(0.1, 10), st.floats(-3, 3))
def test_the_lowest_of_a_convex_function_is_found(place, scale, tilt):
    calls: list[int] = []

    def loss(temperature: float) -> float:
        x = scale * (1 / temperature - 1 / place)
        return math.cosh(x) + math.exp(tilt * x) / 10

    def measure(asked: tuple[float, ...]) -> dict[float, float]:
        calls.append(len(asked))
        return {temperature: loss(temperature) for temperature in asked}

    found = lowest(measure, TEMPERATURES)
    assert min(found.values()) == min(map(loss, TEMPERATURES))
    assert 1.0 in found and sum(calls) == len(found) <= 20


def test_lowest_where_all_is_equal():
    assert set(lowest(lambda asked: dict.fromkeys(asked, 1.0), TEMPERATURES)) >= {0.8, 1.0, 1.2}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.data())
def test_epochs_of_steps(lengths, data):
    ends = tuple(sum(lengths[: count + 1]) for count in range(len(lengths)))
    step = data.draw(st.integers(0, ends[-1]))
    assert epochs_of(step, ends) == pytest.approx(
        sum(1 / lengths[next(e for e, end in enumerate(ends) if s < end)] for s in range(step))
    )


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_pieces_come_to_the_whole_text(kind, text_files):
    if kind == "bpe":
        pytest.importorskip("tokenizers")
    text = Path(text_files[0]).read_text() + "naïve – 猫 🐈 \n"
    tokenizer = learn(kind, text)
    tokens = tokenizer.encode(text).tolist()[-90:]
    for begun in (1, 5):
        pieces = list(spelled(tokenizer, tokens[:begun], iter(tokens[begun:])))
        assert len(pieces) == len(tokens) - begun
        assert tokenizer.decode(tokens[:begun]) + "".join(pieces) == tokenizer.decode(tokens)


def test_what_is_said_of_each_word_is_what_the_model_says(run):
    model, tokenizer = open_model(run)
    answer = predict.ask(run)("the cat sees\na zebra")
    read = ["<eos>", "the", "cat", "sees", "<eos>", "a", "<unk>"]
    ids = [tokenizer.vocabulary.index(w) for w in read]
    with torch.no_grad():
        chances = model(torch.tensor([ids]))[0][0].softmax(-1)
    said = [word["probability"] for word in answer["words"]]
    assert said == pytest.approx(
        [float(chances[t, ids[t + 1]]) for t in range(len(ids) - 1)], rel=1e-4
    )
    assert [word["word"] for word in answer["words"]][-1] == "<unk>"
    assert answer["unknown"] == ["zebra"]
    best = tokenizer.vocabulary[int(chances[-1].argmax())]
    assert answer["next"]["word"] == best
    bits = [-math.log2(chance) for chance in said]
    assert answer["bits_per_word"] == pytest.approx(sum(bits) / len(bits), rel=1e-4)
    assert answer["perplexity"] == pytest.approx(2 ** answer["bits_per_word"], rel=1e-4)


def test_a_file_is_scored_as_its_words_are(run, tmp_path):
    file = tmp_path / "some.txt"
    file.write_text("the cat sees\na zebra")
    answer = predict.ask(run)("the cat sees\na zebra")
    tested = predict.test(run, TextTest(file=file))
    # The file's last line ends.
    model, tokenizer = open_model(run)
    with torch.no_grad():
        logits, _ = model(
            torch.cat([torch.tensor([tokenizer.end]), tokenizer.encode(answer["text"])])[None]
        )
    end = -float(logits[0, -1].log_softmax(-1)[tokenizer.end]) / math.log(2)
    bits = sum(word["bits"] for word in answer["words"]) + end
    assert tested["words"] == tested["tokens"] == 7
    assert tested["bits_per_word"] == pytest.approx(bits / 7, rel=1e-4)
    assert tested["unknown_share"] == pytest.approx(1 / 7)


def test_a_run_goes_on_with_a_text_without_data(run):
    model, tokenizer = open_model(run)
    writing = write(run, "the old zebra", 15, temperature=0)
    assert writing.unknown == ["zebra"]
    tokens = torch.cat([torch.tensor([tokenizer.end]), tokenizer.encode("the old zebra")])
    expected = [int(word) for word in models.generate(model, tokens[None], 15, temperature=0)]
    text = tokenizer.decode([*tokens[1:].tolist(), *expected])
    assert tokenizer.decode(tokens[1:]) + "".join(writing.pieces) == text


def test_a_record_of_other_words_is_refused(run, tmp_path):
    import json
    import shutil

    other = shutil.copytree(run, tmp_path / "run")
    config = json.loads((other / "config.json").read_text())
    config["task"]["tokenizer"]["vocabulary"].append("zebra")
    (other / "config.json").write_text(json.dumps(sealed(config)))
    with pytest.raises(UserError, match=r"a model of 30 words and a vocabulary of 31"):
        write(other, "the cat")


def test_lines_by_epoch_with_time_to_go(capsys):
    progress = EpochProgress("awd-lstm", ends=(10, 21), words=1_000_000)
    progress.start(0, 21)
    row = {"seconds": 600.0, "train_cross_entropy": math.log(300), "validation_perplexity": 250.0}
    progress.evaluated({**row, "step": 0})
    progress.evaluated({**row, "step": 10})
    progress.evaluated({**row, "step": 21, "seconds": 4200.0})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2  1.00M words  perplexity 300.0  validation 250.0  10:00, 11:00 to go",
        "epoch 2/2  2.00M words  perplexity 300.0  validation 250.0  1:10 h",
    ]


@pytest.mark.parametrize("given", [{}, {"epochs": 2}, {"minutes": 1.0}])
def test_the_warm_up_of_a_short_run_fits_it(given, text_files):
    ready = planned(data=text_files, model="awd-lstm", **given)
    assert 10 * ready.warmup <= ready.ends()[-1] < 1000


def test_a_warm_up_is_as_long_as_asked_and_that_of_long_runs_is_whole(text_files):
    assert planned(data=text_files, model="awd-lstm", warmup=100).warmup == 100
    assert planned(data=("ptb",)).warmup == planned(data=("wikitext-2",)).warmup == 100
    assert planned(data=("ptb",), batch=1000).warmup == 7
