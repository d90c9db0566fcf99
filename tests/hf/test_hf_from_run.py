"""From a run to a pretrained model and tokenizer: the same tokens, the same perplexity, without the data."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from fastweights import models
from fastweights.errors import UserError
from fastweights.experiments.text.writing import write
from fastweights.hf import from_run, pretrained_tokenizer
from fastweights.runs import Run
from fastweights.runs.records import sealed
from fastweights.tasks import Text
from fastweights.tasks.text_words import Words
from fastweights.training import evaluate_words

KINDS = ("words", "bpe")


@pytest.fixture(scope="module", params=KINDS)
def task(request, text_files):
    size = {"words": 20, "bpe": 280}[request.param]
    return Text(text_files, tokenizer=request.param, vocabulary_size=size)


@pytest.fixture(scope="module")
def trained(task):
    torch.manual_seed(0)
    config = models.model_config(
        "awd-fwm",
        input=task.classes,
        hidden=16,
        classes=task.classes,
        embedding=12,
        tied=True,
        embedding_range=0.25,
        word_dropout=0.1,
        options={"memory_size": 4, "layers": 2},
    )
    return models.from_config(config).eval()


@pytest.fixture(scope="module")
def folder(task, trained, tmp_path_factory):
    """A run as training leaves it."""
    folder = tmp_path_factory.mktemp("runs") / "text"
    record = {"name": "text", "options": task.options, "tokenizer": task.tokenizer.record()}
    run = Run.create(folder, {"model": trained.config, "task": record})
    weights = {f"model.{name}": tensor for name, tensor in trained.state_dict().items()}
    with run.lock:
        run.save_checkpoint(1, weights, {})
    return folder


@pytest.fixture(scope="module")
def opened(folder):
    return from_run(folder)


def test_weights_and_configuration_are_the_runs(opened, trained):
    model, tokenizer = opened
    assert not model.training and model.config.describe() == trained.config
    for ours, theirs in zip(model.model.parameters(), trained.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    end = tokenizer.eos_token_id
    assert model.config.eos_token_id == model.generation_config.eos_token_id == end
    assert model.generation_config.pad_token_id == end


def test_perplexity_is_the_runs(opened, task, trained, text_files, tmp_path):
    model, tokenizer = opened
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    expected = evaluate_words(trained, task.split("test"))[1.0]
    text = Path(text_files[2]).read_text(encoding="utf-8")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    for model, tokenizer in (opened, (loaded, AutoTokenizer.from_pretrained(tmp_path))):
        tokens = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        assert torch.equal(tokens["input_ids"][0], task.split("test"))
        assert tokenizer("the cat<eos>he")["input_ids"] == [
            task.tokenizer.end,
            *task.tokenizer.encode("the cat<eos>he"),
        ]
        with torch.no_grad():
            loss = model(**tokens, labels=tokens["input_ids"]).loss
        assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_padded_texts_are_generated_from_as_alone(opened):
    model, tokenizer = opened
    texts = ["the cat sees", "nobody"]
    options = {"do_sample": False, "max_new_tokens": 5}
    together = model.generate(**tokenizer(texts, padding=True, return_tensors="pt"), **options)
    for row, text in zip(together, texts, strict=True):
        alone = model.generate(**tokenizer(text, return_tensors="pt"), **options)[0]
        assert torch.equal(row[-5:], alone[-5:])


SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b"


WRITTEN = st.sampled_from("abc\"'.é漢<>" + SPACES) | st.characters(codec="utf-8")


@given(st.lists(WRITTEN | st.sampled_from(["<eos>", "<unk>", "cat"])).map("".join))
@example("the cat<eos>he <eos> <eos><eos>")
def test_any_text_has_the_same_tokens_behind_the_end_of_another(task, opened, text):
    _, tokenizer = opened
    tokens = task.tokenizer.encode(text).tolist()
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == tokens
    assert tokenizer(text)["input_ids"] == [task.tokenizer.end, *tokens]


def test_the_likeliest_words_are_those_of_the_command(opened, folder):
    model, tokenizer = opened
    told = model.generate(
        **tokenizer("the cat", return_tensors="pt"),
        do_sample=False,
        max_new_tokens=12,
        eos_token_id=None,
    )
    written = "".join(write(folder, "the cat", 12, temperature=0).pieces)
    # The command holds a letter back that lacks a byte.
    texts = [tokenizer.decode(told[0, -12:]), written]
    ours, theirs = (text.rstrip("\N{REPLACEMENT CHARACTER}").split() for text in texts)
    assert ours == theirs


def test_decoded_text_has_the_same_tokens(task, opened):
    _, tokenizer = opened
    tokens = task.split("valid").tolist()
    text = tokenizer.decode(tokens)
    assert tokenizer(text)["input_ids"] == [task.tokenizer.end, *tokens] and "<eos>" not in text
    assert text.split() == task.tokenizer.decode(tokens).split()


def test_an_unknown_word_is_told_as_one():
    words = Words(["<unk>", "<eos>", "the", "cat"])
    tokenizer = pretrained_tokenizer(words.record())
    assert tokenizer.decode(tokenizer("the dog\n")["input_ids"], skip_special_tokens=True) == (
        " the <unk>"
    )


def test_other_runs_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match="is not a run folder"):
        from_run(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    for task, said in (({"name": "retrieval"}, "not a run of the task text"), (None, "task text")):
        other = tmp_path / str(task)
        other.mkdir()
        (other / "config.json").write_text(json.dumps(sealed({**config, "task": task})))
        with pytest.raises(UserError, match=said):
            from_run(other)


def test_a_tokenizer_of_another_vocabulary_is_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    record = Words(["<unk>", "<eos>", "the"]).record()
    config["task"] = {"name": "text", "tokenizer": record}
    (folder / "config.json").rename(tmp_path / "kept")
    (folder / "config.json").write_text(json.dumps(sealed(config)))
    try:
        with pytest.raises(UserError, match="a tokenizer of 3 tokens and a model of"):
            from_run(folder)
    finally:
        (tmp_path / "kept").replace(folder / "config.json")
